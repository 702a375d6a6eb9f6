import Foundation
import Testing

@testable import Pinfold

/// What clients do when the device's network changes.
struct NetworkTests {
    let kit: Testkit
    let monitor = Monitor()

    init() async throws {
        kit = try await Testkit()
    }

    static let wifi = NetworkPath(isSatisfied: true, interface: "en0", gateways: ["10.0.0.1"])
    static let none = NetworkPath(isSatisfied: false, interface: nil, gateways: [])

    /// What the system tells, and whether anybody listens.
    final class Monitor: @unchecked Sendable {
        private let lock = NSLock()
        private var reports: [@Sendable (NetworkPath) -> Void] = []
        private var stopped = 0

        /// To all that ever listened, as reports on their way would.
        func report(_ path: NetworkPath) {
            lock.withLock { reports }.forEach { $0(path) }
        }

        var started: Int { lock.withLock { reports.count } }
        var running: Int { lock.withLock { reports.count - stopped } }

        func changes() -> NetworkChanges {
            NetworkChanges { report in
                self.lock.withLock { self.reports.append(report) }
                return { self.lock.withLock { self.stopped += 1 } }
            }
        }
    }

    func client(_ network: NetworkChanges) throws -> PinnedClient {
        try PinnedClient(
            pins: PinSet(hosts: [kit.policy()]), configuration: kit.configuration("backend"),
            log: .system, network: network)
    }

    /// The connection that a client uses for a request.
    func connection(_ client: PinnedClient) async throws -> Int {
        try Echo(await client.get("https://api.example.test/echo")).connection
    }

    @Test("idle connections are closed when the path is another one, and not by the first report")
    func changes() async throws {
        let client = try client(monitor.changes())
        let first = try await connection(client)
        monitor.report(Self.wifi)
        #expect(try await connection(client) == first)
        monitor.report(Self.wifi)
        #expect(try await connection(client) == first, "it was the same path")

        monitor.report(Self.none)
        _ = try await kit.wait("backend", for: "closed")
        let second = try await connection(client)
        #expect(second != first)
        monitor.report(Self.wifi)
        _ = try await kit.wait("backend", for: "closed", count: 2)
        let third = try await connection(client)
        #expect(third != second)
    }

    @Test(
        "another interface or another gateway is another path",
        arguments: [
            NetworkPath(isSatisfied: true, interface: "pdp_ip0", gateways: ["10.0.0.1"]),
            NetworkPath(isSatisfied: true, interface: "en0", gateways: ["192.168.1.1"]),
        ])
    func other(path: NetworkPath) async throws {
        let client = try client(monitor.changes())
        monitor.report(Self.wifi)
        let first = try await connection(client)
        monitor.report(path)
        #expect(try await connection(client) != first)
    }

    @Test("clients share one monitor, which is gone with the last of them")
    func shared() async throws {
        let changes = monitor.changes()
        let clients = [try client(changes), try client(changes)]
        monitor.report(Self.wifi)
        let before = [try await connection(clients[0]), try await connection(clients[1])]
        #expect(monitor.started == 1)
        monitor.report(Self.none)
        let after = [try await connection(clients[0]), try await connection(clients[1])]
        #expect(Set(before).isDisjoint(with: after))

        clients[0].close()
        #expect(monitor.running == 1)
        clients[1].close()
        #expect(monitor.running == 0)
        // The first report to a new one is none to the old one.
        let new = try client(changes)
        #expect(monitor.running == 1)
        let first = try await connection(new)
        monitor.report(Self.wifi)
        #expect(try await connection(new) == first)
    }

    @Test("nobody is kept alive by it")
    func weak() throws {
        let changes = monitor.changes()
        var client: PinnedClient? = try client(changes)
        weak var gone = client
        monitor.report(Self.wifi)
        client = nil
        #expect(gone == nil)
        #expect(monitor.running == 0)
        monitor.report(Self.none)
    }

    @Test("a request in flight goes on, and its connection is closed after it")
    func inFlight() async throws {
        let client = try kit.client()
        async let large = client.get("https://api.example.test/bytes/15000000")
        _ = try await kit.wait("backend", for: "request")
        client.closeIdleConnections()
        #expect(try await large.body.count == 15_000_000)
        _ = try await kit.wait("backend", for: "closed")
        #expect(try await client.get("https://api.example.test/").status == 200)
        client.close()
        client.closeIdleConnections()
    }
}
