import Foundation
internal import PinfoldBindings

/// Sends HTTPS requests over connections whose certificate the pin set allows.
///
/// ```swift
/// let client = try PinnedClient(pins: PinSet(json: Data(contentsOf: file)))
/// let response = try await client.get("https://api.example.com/v1/status")
/// print(response.status, response.text)
/// ```
///
/// Make one client and share it: its requests use the same connections. All members may be used
/// from any task or thread, and none blocks.
///
/// Cancelling the task of a request closes its connection at once, and the request throws
/// `CancellationError`; a task that is cancelled already does not connect at all.
///
/// On Apple's systems its idle connections are closed where the preferred interface or its gateway
/// becomes another one, or there is no network; and outcomes, without anything that was sent or received, go to the system's log under the subsystem
/// `dev.pinfold`.
public final class PinnedClient: Sendable {
    let client: Client
    let updater: PinSetUpdater?
    /// Whether the system's authorities count where an entry has none of its own.
    let usesSystemRoots: Bool
    let log: Log?
    private let network: NetworkChanges?
    /// Whose session it is; that one sees to changes of the network.
    private let parent: PinnedClient?

    /// A client.
    ///
    /// - Parameters:
    ///   - pins: The pin set in force.
    ///   - configuration: Timeouts, limits and the like.
    /// - Throws: ``PinfoldError/invalidConfig(place:message:)`` names the setting,
    ///   ``PinfoldError/invalidCertificate(place:message:)`` the root.
    public convenience init(
        pins: PinSet,
        configuration: Configuration = Configuration()
    ) throws(PinfoldError) {
        try self.init(pins: pins, configuration: configuration, log: .system)
    }

    convenience init(
        pins: PinSet,
        configuration: Configuration,
        log: Log?,
        network: NetworkChanges? = .device
    ) throws(PinfoldError) {
        try self.init(configuration, nil, log, network) { settings in
            // Where no trust is handed over, Rust asks the system itself.
            try Client(pins: pins.bindings, settings: settings, trust: nil)
        }
    }

    /// A client whose pin sets come from an updater. One that comes into force there is in force
    /// here at once, as by ``replacePins(_:)``. On a mismatch the client has the updater look for a
    /// newer one, for 5 seconds at most, and tries once more if the host's entry has changed; of
    /// the request nothing was sent until then. The client holds the updater.
    ///
    /// - Parameters:
    ///   - updater: Where the pin sets come from.
    ///   - configuration: Timeouts, limits and the like.
    /// - Throws: ``PinfoldError/invalidConfig(place:message:)`` names the setting,
    ///   ``PinfoldError/invalidCertificate(place:message:)`` the root.
    public convenience init(
        updater: PinSetUpdater,
        configuration: Configuration = Configuration()
    ) throws(PinfoldError) {
        try self.init(configuration, updater, .system, .device) { settings in
            try .updated(updater: updater.bindings, settings: settings, trust: nil)
        }
    }

    private init(
        _ configuration: Configuration,
        _ updater: PinSetUpdater?,
        _ log: Log?,
        _ network: NetworkChanges?,
        make: (ClientSettings) throws -> Client
    ) throws(PinfoldError) {
        let settings = try configuration.settings()
        client = try PinfoldError.translating { try make(settings) }
        self.updater = updater
        usesSystemRoots = configuration.roots == .system
        self.log = log
        self.network = network
        parent = nil
        network?.follow(self)
    }

    init(sessionOf parent: PinnedClient, _ client: Client) {
        self.client = client
        updater = parent.updater
        usesSystemRoots = parent.usesSystemRoots
        log = parent.log
        network = nil
        self.parent = parent
    }

    deinit {
        network?.forget(ObjectIdentifier(self))
    }

    /// Sends a request and waits for the whole response.
    ///
    /// - Parameter request: The request.
    /// - Returns: The response, whatever its status.
    /// - Throws: ``PinfoldError``, or `CancellationError` if the task is cancelled.
    public func send(_ request: Request) async throws -> Response {
        try await logged(request.method, { Log.Line(request.method, $0) }) {
            try await self.exchange(request)
        }
    }

    /// `work`, and what became of it in the log.
    func logged<T>(
        _ method: Request.Method,
        _ line: (T) -> Log.Line,
        _ work: () async throws -> T
    ) async throws -> T {
        let end = log?.begin(method.rawValue)
        func tell(_ line: @autoclosure () -> Log.Line) {
            guard let log, let end else { return }
            let line = line()
            log.write(line)
            end(line.text)
        }
        do {
            let result = try await work()
            tell(line(result))
            return result
        } catch {
            tell(Log.Line(method, error))
            throw error
        }
    }

    private func exchange(_ request: Request) async throws -> Response {
        try Task.checkCancellation()
        let head = try request.head()
        let call = Call()
        do {
            let response = try await withTaskCancellationHandler {
                try await client.execute(head: head, body: request.body ?? Data(), call: call)
            } onCancel: {
                call.cancel()
            }
            return Response(response)
        } catch {
            let error = PinfoldError(thrown: error)
            // Only this task's cancellation has that code.
            if case .cancelled = error { throw CancellationError() }
            throw error
        }
    }

    /// Puts another pin set into force, at once and for good: idle connections are closed, TLS
    /// sessions made under the old one are never resumed, and requests that begin after this call
    /// see only the new one. Requests in flight end under the old one, unless
    /// ``Configuration/abortWithdrawn`` says otherwise. The next pin set of an updater replaces this
    /// one in turn.
    ///
    /// - Parameter pins: The new pin set.
    /// - Throws: ``PinfoldError/clientClosed(message:)``.
    public func replacePins(_ pins: PinSet) throws(PinfoldError) {
        try PinfoldError.translating { try client.replacePins(pins: pins.bindings) }
    }

    /// Who the app, or this session of it, is to `host` from now on, where that asks for a certificate;
    /// `nil` for nobody. A renewed certificate takes its place so, without a restart: idle connections
    /// under the last one are closed, and TLS sessions are not shared by two identities. No other host is
    /// ever shown it, not those below it either, nor a proxy.
    ///
    /// - Throws: ``PinfoldError/invalidConfig(place:message:)`` for a host that is none,
    ///   ``PinfoldError/clientClosed(message:)``.
    public func setIdentity(_ identity: ClientIdentity?, for host: String) throws(PinfoldError) {
        try PinfoldError.translating {
            try client.setIdentity(host: host, identity: identity?.bindings)
        }
    }

    /// Closes the idle connections, so that the next request makes one of its own: for a device
    /// whose network has changed, which leaves them dead without a word. Requests in flight go on,
    /// and their connections are closed after them. Does nothing on a closed client. On Apple's
    /// systems this happens by itself.
    public func closeIdleConnections() {
        client.closeIdleConnections()
    }

    /// What the client would decide about a certificate chain, and why, without a connection: for
    /// tests of a pin set, for support desks, and for other HTTP clients. After a mismatch the client
    /// of an updater looks for a newer pin set, as it does for a request.
    /// ``Configuration/connectTo`` plays no part.
    ///
    /// - Parameters:
    ///   - host: The name or IP address that presents the chain.
    ///   - chain: The certificates in DER, the end-entity first.
    ///   - at: When, between the years 1970 and 9999.
    /// - Returns: The decision with everything that it rests on. A refusal is no error here.
    /// - Throws: ``PinfoldError/invalidRequest(place:message:)`` names the parameter.
    public func explain(
        host: String,
        chain: [Data],
        at: Date = Date()
    ) async throws(PinfoldError) -> Explanation {
        func fail(_ place: String, _ reason: String) -> PinfoldError {
            .invalidRequest(place: place, message: "request, \(place): \(reason)")
        }
        guard let seconds = Crossing.seconds(at) else {
            throw fail("at", "not a date between the years 1970 and 9999")
        }
        guard Crossing.allows(chain.map(\.count).reduce(host.utf8.count, +)) else {
            throw fail("chain", "larger than \(Crossing.maxBytes) bytes together with the host")
        }
        do {
            return Explanation(try await client.explain(host: host, chain: chain, at: seconds))
        } catch {
            throw PinfoldError(thrown: error)
        }
    }

    /// The names in a certificate (DER) for which an entry of the pin set holds.
    func pinnedNames(in certificate: Data) throws(PinfoldError) -> [String] {
        try PinfoldError.translating { try client.pinnedNames(certificate: certificate) }
    }

    /// Ends every request and closes every connection; they and later requests fail with
    /// ``PinfoldError/clientClosed(message:)``. Closing twice does nothing, and a client that
    /// nobody holds any more closes by itself.
    public func close() {
        network?.forget(ObjectIdentifier(self))
        client.close()
    }
}
