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
    private let renewals = Renewals()
    private let lock = NSLock()
    private var refusals: [String: PinfoldError] = [:]
    /// Redirects may lead anywhere.
    private static let maxRefusals = 64

    init(_ client: PinnedClient, onDecision: (@Sendable (Explanation) -> Void)? = nil) {
        self.client = client
        self.onDecision = onDecision
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
            var told = try await client.explain(host: host, chain: chain)
            if case .pinMismatch = told.error, await renewals.renew(client.updater) {
                told = try await client.explain(host: host, chain: chain)
            }
            // Nobody pins a proxy that does not say so: of what passes through it, it sees nothing.
            if isProxy, told.verdict == .notPinned { return .useIfTrusted }
            onDecision?(told)
            guard told.isAllowed else {
                let unknown = PinfoldError.internal(message: "refused without a reason")
                return refuse(told.error ?? unknown, host: host)
            }
            forget(host)
            client.log?.write(Log.Line(session: told))
            let isOurs = Self.isTrustOurs(told, usesSystemRoots: client.usesSystemRoots)
            return isOurs ? .use : .useIfTrusted
        } catch {
            return refuse(PinfoldError(thrown: error), host: host)
        }
    }

    /// Whether a redirect may be followed: not from TLS to what has none.
    func follows(from old: URL?, to new: URL?) -> Bool {
        guard let old, old.scheme?.lowercased() == "https" else { return true }
        if new?.scheme?.lowercased() == "https" { return true }
        let host = old.host ?? ""
        let message = "\(host) redirected to what is not HTTPS"
        _ = refuse(.insecureRedirect(host: host, message: message), host: host)
        return false
    }

    /// The error for what a session reports. It says "cancelled" for every connection that was
    /// refused.
    func cause(of error: any Error, at url: URL?) -> any Error {
        guard let failed = error as? URLError,
            [.cancelled, .userCancelledAuthentication].contains(failed.code),
            let host = (failed.failingURL ?? url)?.host
        else { return error }
        return lock.withLock { refusals[Self.key(host)] } ?? error
    }

    private func refuse(_ error: PinfoldError, host: String) -> Answer {
        client.log?.write(Log.Line(session: error))
        lock.withLock {
            if refusals.count >= Self.maxRefusals { _ = refusals.popFirst() }
            refusals[Self.key(host)] = error
        }
        return .refuse
    }

    private func forget(_ host: String) {
        lock.withLock { refusals[Self.key(host)] = nil }
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

/// Has a newer pin set looked for after a mismatch, as ``PinnedClient`` does before it gives up: once
/// a minute, 20 times a day, and for 5 seconds.
private actor Renewals {
    private var begun: [Date] = []
    private var running: Task<Bool, Never>?

    /// Whether a server has said what is newest, so that there may be another pin set now.
    func renew(_ updater: PinSetUpdater?) async -> Bool {
        guard let updater else { return false }
        if let running { return await running.value }
        let now = Date()
        begun.removeAll { now.timeIntervalSince($0) > 86_400 }
        let isRecent = begun.last.map { now.timeIntervalSince($0) < 60 } ?? false
        guard !isRecent, begun.count < 20 else { return false }
        begun.append(now)
        let fetch = Task { try? await updater.refresh() }
        let limit = Task {
            try await Task.sleep(nanoseconds: 5_000_000_000)
            fetch.cancel()
        }
        let task = Task {
            let refreshed = await fetch.value
            limit.cancel()
            return refreshed != nil
        }
        running = task
        defer { running = nil }
        return await task.value
    }
}
