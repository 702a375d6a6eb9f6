import Foundation
import Pinfold
import Testing

struct CancellationTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    @Test(
        "cancelling ends a request at once, and the server sees the connection close",
        arguments: ["/hang", "/hang-body", "/slow"])
    func hangingRequest(path: String) async throws {
        let client = try kit.client()
        let task = Task { try await client.get("https://api.example.test\(path)") }
        _ = try await kit.wait("backend", for: "request")
        let began = Date()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(Date().timeIntervalSince(began) < 5, "far less than the timeout of 30 s")
        _ = try await kit.wait("backend", for: "closed")
    }

    @Test("cancelling ends a handshake at once")
    func hangingHandshake() async throws {
        let client = try kit.client("hang_on_accept")
        let task = Task { try await client.get("https://api.example.test/") }
        _ = try await kit.wait("hang_on_accept", for: "accepted")
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        _ = try await kit.wait("hang_on_accept", for: "closed")
    }

    @Test("a task that is cancelled already does not connect")
    func cancelledBefore() async throws {
        let client = try kit.client()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await client.get("https://api.example.test/")
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        // Whatever it had begun would be there before this.
        #expect(try await client.get("https://api.example.test/").text == "ok")
        let events = try await kit.events("backend")
        #expect(events.filter { $0.event == "accepted" }.count == 1)
    }

    @Test("cancelling one request leaves the others alone")
    func others() async throws {
        let client = try kit.client()
        let cancelled = Task { try await client.get("https://api.example.test/hang") }
        let other = Task { try await client.get("https://api.example.test/hang-body") }
        _ = try await kit.wait("backend", for: "request", count: 2)
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        #expect(try await client.get("https://api.example.test/").text == "ok")
        other.cancel()
        await #expect(throws: CancellationError.self) { try await other.value }
    }

    @Test("requests that queue take no thread from others, and can be cancelled")
    func queueing() async throws {
        let (client, other) = (try kit.client(), try kit.client())
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                // More than there are threads for all clients of a process.
                for _ in 0..<600 {
                    group.addTask { _ = try await client.get("https://api.example.test/hang") }
                }
                _ = try await kit.wait("backend", for: "request", count: 128)
                #expect(try await other.get("https://api.example.test/").text == "ok")
                // Those that queue have not begun: 128 of the one client, and one of the other.
                let events = try await kit.events("backend")
                #expect(events.filter { $0.event == "request" }.count == 129)
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test("cancelling a group of requests ends all of them")
    func group() async throws {
        let client = try kit.client()
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask { _ = try await client.get("https://api.example.test/hang") }
                }
                _ = try await kit.wait("backend", for: "request", count: 8)
                group.cancelAll()
                try await group.waitForAll()
            }
        }
        _ = try await kit.wait("backend", for: "closed", count: 8)
    }
}
