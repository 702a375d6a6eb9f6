#if canImport(os)
    import os
#endif

/// Outcomes, for the system's log and its signposts. No header, body, path or query is in them.
struct Log: Sendable {
    /// Adds a line.
    let write: @Sendable (Line) -> Void
    /// Begins the interval of a request, and returns what ends it with the request's outcome.
    let begin: @Sendable (_ method: String) -> (_ outcome: String) -> Void

    struct Line: Hashable, Sendable {
        enum Level { case debug, info, error }
        enum Category: String, CaseIterable { case requests, sessions, updates }

        let level: Level
        let category: Category
        /// What anybody may read who has the device's log.
        let text: String
        /// Hosts, and messages with names: the system shows them where a developer has asked for
        /// it.
        let detail: String
    }
}

extension Log.Line {
    init(_ method: Request.Method, _ response: Response) {
        let outcome = response.pinning.outcome
        category = .requests
        level = outcome.isUsual ? .debug : .info
        let size = "\(response.body.count) bytes"
        text = "\(method.rawValue) \(response.status), \(size), \(outcome.name)"
        detail = String(response.url.dropFirst("https://".count).prefix { $0 != "/" && $0 != "?" })
    }

    init(_ method: Request.Method, _ response: StreamingResponse) {
        let outcome = response.pinning.outcome
        category = .requests
        level = outcome.isUsual ? .debug : .info
        text = "\(method.rawValue) \(response.status), streaming, \(outcome.name)"
        detail = String(response.url.dropFirst("https://".count).prefix { $0 != "/" && $0 != "?" })
    }

    init(_ method: Request.Method, _ error: any Error) {
        let code = Self.code(error)
        category = .requests
        level = Self.level(error)
        text = "\(method.rawValue) \(code)"
        detail = Self.message(error)
    }

    /// A connection of a session of `URLSession` that is allowed.
    init(session told: Explanation) {
        let outcome = told.verdict.outcome
        category = .sessions
        level = outcome.isUsual ? .debug : .info
        text = "allowed, \(outcome.name)"
        detail = told.host
    }

    /// One that is refused.
    init(session error: PinfoldError) {
        category = .sessions
        level = Self.level(error)
        text = error.code
        detail = Self.message(error)
    }

    init(_ event: UpdateEvent) {
        category = .updates
        switch event {
        case .updated(let order):
            level = .info
            text = "updated to root \(order.root), epoch \(order.epoch), pin set \(order.pinSet)"
            detail = ""
        case .rejected(let error, _):
            level = .error
            text = "rejected: \(error.code)"
            detail = error.message
        case .equivocation:
            level = .error
            text = "equivocation"
            detail = ""
        case .staleMirror:
            level = .info
            text = "stale mirror"
            detail = ""
        case .unavailable(let reason):
            level = .info
            text = "unavailable"
            detail = reason
        case .store(let reason):
            level = .error
            text = "store"
            detail = reason
        case .stale:
            level = .info
            text = "stale"
            detail = ""
        case .lapsed(let host):
            level = .error
            text = "lapsed"
            detail = host ?? ""
        case .inspected(let host, let authority):
            level = .info
            text = "inspected by \(authority)"
            detail = host
        }
    }

    private static func code(_ error: any Error) -> String {
        (error as? PinfoldError)?.code ?? "cancelled"
    }

    /// A refused certificate is what pinning is for; a network's trouble is nobody's fault.
    private static func level(_ error: any Error) -> Level {
        guard let error = error as? PinfoldError else { return .debug }
        switch error {
        case .hostNotPinned, .insecureRedirect, .internal: return .error
        default: return error.certificate == nil ? .info : .error
        }
    }

    private static func message(_ error: any Error) -> String {
        guard let error = error as? PinfoldError else { return "" }
        switch error {
        // Their messages have a URL's path.
        case .insecureRedirect, .invalidURL: return error.host ?? ""
        default: return error.message
        }
    }
}

extension Pinning {
    /// A word for it, and whether it is what one expects of a host with pins, or without.
    fileprivate var outcome: (name: String, isUsual: Bool) {
        switch self {
        case .matched: ("matched", true)
        case .reportOnly: ("report_only", false)
        case .inspected: ("inspected", false)
        case .off: ("off", true)
        case .lapsed: ("lapsed", false)
        case .notPinned: ("not_pinned", true)
        }
    }
}

extension Explanation.Verdict {
    /// The same words for what is allowed.
    fileprivate var outcome: (name: String, isUsual: Bool) {
        switch self {
        case .match: ("matched", true)
        case .noMatch: ("report_only", false)
        case .blockedKey: ("blocked_key", false)
        case .inspected: ("inspected", false)
        case .off: ("off", true)
        case .lapsed: ("lapsed", false)
        case .notPinned: ("not_pinned", true)
        }
    }
}

extension Log {
    #if canImport(os)
        /// The system's. Lines of level debug cost next to nothing while nobody looks.
        static let system: Log? = Log(write: Systems.write, begin: Systems.begin)

        private struct Systems: @unchecked Sendable {
            static let shared = Systems()
            let signposter = OSSignposter(subsystem: "dev.pinfold", category: "requests")
            let loggers = Line.Category.allCases.map {
                ($0, Logger(subsystem: "dev.pinfold", category: $0.rawValue))
            }

            @Sendable
            static func write(_ line: Line) {
                for (category, logger) in shared.loggers where category == line.category {
                    logger.log(
                        level: line.level.system,
                        "\(line.text, privacy: .public) \(line.detail, privacy: .private)")
                }
            }

            @Sendable
            static func begin(_ method: String) -> (String) -> Void {
                let signposter = shared.signposter
                let interval = signposter.beginInterval(
                    "request", id: signposter.makeSignpostID(), "\(method, privacy: .public)")
                return {
                    signposter.endInterval("request", interval, "\($0, privacy: .public)")
                }
            }
        }
    #else
        /// The system's, where it is Apple's.
        static let system: Log? = nil
    #endif
}

#if canImport(os)
    extension Log.Line.Level {
        fileprivate var system: OSLogType {
            switch self {
            case .debug: .debug
            case .info: .info
            case .error: .error
            }
        }
    }
#endif
