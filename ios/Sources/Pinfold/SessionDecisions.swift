import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// What a client decides about the connections that sessions of `URLSession` make, and why it has
/// refused some of them.
final class SessionDecisions: @unchecked Sendable {
    /// What a session is told about a server's certificate.
    enum Answer: Equatable {
        /// To use the connection.
        case use
        /// To use it if the system, too, trusts the certificate.
        case useIfTrusted
        /// To close it.
        case refuse
    }

    private let client: PinnedClient
    private let onDecision: (@Sendable (Explanation) -> Void)?
    private let now: @Sendable () -> Date
    private let lock = NSLock()
    /// The latest last.
    private var refusals: [Refusal] = []
    /// Redirects may lead anywhere.
    private static let maxRefusals = 64
    /// A session reports an error at once. What it cancels later, somebody else has cancelled.
    private static let explains: TimeInterval = 30

    /// Why something was refused.
    private struct Refusal {
        let host: String
        /// What was refused: a server's certificate, a proxy's, or a redirect of a task.
        let kind: Kind
        let error: PinfoldError
        let at: Date

        enum Kind: Equatable {
            case server
            case proxy
            case redirect(task: Int?)
        }
    }

    init(
        _ client: PinnedClient,
        onDecision: (@Sendable (Explanation) -> Void)? = nil,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.client = client
        self.onDecision = onDecision
        self.now = now
    }

    /// The decision about a certificate.
    ///
    /// - Parameters:
    ///   - host: Whose it should be.
    ///   - isProxy: Whether that is a proxy on the way to a server, which is judged by itself.
    ///   - chain: The path to it that the system has found, end-entity first, in DER.
    /// - Returns: What the session is told.
    func answer(host: String, isProxy: Bool, chain: [Data]) async -> Answer {
        // URLs have IPv6 addresses in brackets, certificates have them without.
        let host = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        do {
            let order = client.updater?.status.order
            var told = try await judge(host, isProxy, chain)
            // A newer pin set that was found for one of the names holds for all of them.
            if told.isAllowed, client.updater?.status.order != order {
                told = try await judge(host, isProxy, chain)
            }
            // Nobody pins a proxy that does not say so: of what passes through it, it sees nothing.
            if isProxy, told.verdict == .notPinned { return .useIfTrusted }
            onDecision?(told)
            guard told.isAllowed else {
                throw told.error ?? .internal(message: "refused without a reason")
            }
            allowed(host)
            client.log?.write(Log.Line(session: told))
            let isOurs = Self.isTrustOurs(told, usesSystemRoots: client.usesSystemRoots)
            return isOurs ? .use : .useIfTrusted
        } catch {
            refused(host, isProxy ? .proxy : .server, PinfoldError(thrown: error))
            return .refuse
        }
    }

    /// The decision about the host. Where that allows the connection, the session may use it for all
    /// the other names of the certificate, too, and does not ask again (RFC 9113 §9.1.1): so it is
    /// the decision about one of these if that refuses.
    private func judge(
        _ host: String,
        _ isProxy: Bool,
        _ chain: [Data]
    ) async throws -> Explanation {
        let told = try await client.explain(host: host, chain: chain)
        guard told.isAllowed, !isProxy, let certificate = chain.first else { return told }
        for name in try client.pinnedNames(in: certificate) where name != told.host {
            let other = try await client.explain(host: name, chain: chain)
            guard other.isAllowed else { return other }
        }
        return told
    }

    /// Whether a redirect may be followed: not from TLS to what has none.
    ///
    /// - Parameters:
    ///   - old: What redirects.
    ///   - new: Where it leads.
    ///   - task: The task's identifier, where it is known.
    /// - Returns: Whether it may.
    func follows(from old: URL?, to new: URL?, task: Int? = nil) -> Bool {
        guard let old, old.scheme?.lowercased() == "https" else { return true }
        if new?.scheme?.lowercased() == "https" { return true }
        let host = old.host ?? ""
        let message = "\(host) redirected to what is not HTTPS"
        refused(host, .redirect(task: task), .insecureRedirect(host: host, message: message))
        return false
    }

    /// The error for what a session reports. It says "cancelled" for every connection that was
    /// refused.
    ///
    /// - Parameters:
    ///   - error: What it reports.
    ///   - url: What the task has asked for last.
    ///   - task: The task's identifier, where it is known: then it is not another task's redirect.
    /// - Returns: Why it was cancelled, where that is known, else the error itself.
    func cause(of error: any Error, at url: URL?, task: Int? = nil) -> any Error {
        guard let failed = error as? URLError,
            [.cancelled, .userCancelledAuthentication].contains(failed.code)
        else { return error }
        let hosts = [failed.failingURL, url].compactMap { ($0?.host).map(Self.key) }
        let now = now()
        return lock.withLock {
            let refusal = refusals.last { refusal in
                guard abs(now.timeIntervalSince(refusal.at)) < Self.explains else { return false }
                return switch refusal.kind {
                case .server: hosts.contains(refusal.host)
                case .redirect(let other):
                    hosts.contains(refusal.host) && (task == nil || other == nil || task == other)
                // The error names the server behind it.
                case .proxy: true
                }
            }
            return refusal?.error ?? error
        }
    }

    private func refused(_ host: String, _ kind: Refusal.Kind, _ error: PinfoldError) {
        client.log?.write(Log.Line(session: error))
        let refusal = Refusal(host: Self.key(host), kind: kind, error: error, at: now())
        lock.withLock {
            refusals.removeAll { $0.host == refusal.host && $0.kind == kind }
            refusals = refusals.suffix(Self.maxRefusals - 1) + [refusal]
        }
    }

    /// Forgets why its certificate was refused before.
    private func allowed(_ host: String) {
        let host = Self.key(host)
        lock.withLock {
            refusals.removeAll { $0.host == host && [.server, .proxy].contains($0.kind) }
        }
    }

    /// Whether the decision rests on other authorities than the system's.
    static func isTrustOurs(_ told: Explanation, usesSystemRoots: Bool) -> Bool {
        switch told.policy?.trust {
        case .privateCa: true
        case .pinOnly where told.verdict != .lapsed: true
        default: !usesSystemRoots
        }
    }

    private static func key(_ host: String) -> String {
        host.lowercased().trimmingCharacters(in: CharacterSet(charactersIn: "[]."))
    }
}
