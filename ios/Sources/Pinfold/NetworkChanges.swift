import Foundation

#if canImport(Network)
    import Network
#endif

/// How the device is connected, as far as connections depend on it.
struct NetworkPath: Equatable, Sendable {
    /// Whether there is a network at all.
    let isSatisfied: Bool
    /// The interface that is preferred. The others come and go without a consequence.
    let interface: String?
    /// Two networks of one interface mostly have gateways of their own.
    let gateways: [String]
}

/// Has clients close their idle connections when the device's network path is another one. One
/// monitor for all clients, because an app may have 100; none while there is no client.
final class NetworkChanges: @unchecked Sendable {
    /// Begins to watch, and returns what ends it. The first report is of the path at that time.
    typealias Start = @Sendable (_ report: @escaping @Sendable (NetworkPath) -> Void) -> () -> Void

    private let start: Start
    private let lock = NSLock()
    private var clients: [ObjectIdentifier: Followed] = [:]
    private var watch: Watch?

    init(_ start: @escaping Start) {
        self.start = start
    }

    func follow(_ client: PinnedClient) {
        lock.lock()
        defer { lock.unlock() }
        clients[ObjectIdentifier(client)] = Followed(client: client)
        guard watch == nil else { return }
        let watch = Watch()
        watch.stop = start { [weak self, weak watch] path in
            if let watch { self?.reported(path, to: watch) }
        }
        self.watch = watch
    }

    /// For a client that is closed, or is about to be gone.
    func forget(_ client: ObjectIdentifier) {
        lock.lock()
        defer { lock.unlock() }
        clients[client] = nil
        guard clients.isEmpty else { return }
        watch?.stop?()
        watch = nil
    }

    private func reported(_ path: NetworkPath, to watch: Watch) {
        let affected = lock.withLock { () -> [PinnedClient] in
            guard watch.path != path else { return [] }
            defer { watch.path = path }
            return watch.path == nil ? [] : clients.values.compactMap(\.client)
        }
        // Outside the lock, which a client that is being closed waits for.
        affected.forEach { $0.closeIdleConnections() }
    }

    /// Weak: a client that nobody holds any more closes by itself.
    private struct Followed {
        weak var client: PinnedClient?
    }

    private final class Watch: @unchecked Sendable {
        var stop: (() -> Void)?
        var path: NetworkPath?
    }
}

extension NetworkChanges {
    #if canImport(Network)
        /// Those of this device.
        static let device: NetworkChanges? = NetworkChanges { report in
            let monitor = NWPathMonitor()
            monitor.pathUpdateHandler = { path in
                report(
                    NetworkPath(
                        isSatisfied: path.status == .satisfied,
                        interface: path.availableInterfaces.first?.name,
                        gateways: path.gateways.map { "\($0)" }))
            }
            monitor.start(queue: DispatchQueue(label: "dev.pinfold.network"))
            return monitor.cancel
        }
    #else
        /// Those of this device; only Apple's systems tell.
        static let device: NetworkChanges? = nil
    #endif
}
