import Foundation
import Testing

@testable import Pinfold

/// Waiting for an update that does not come, and ceasing to.
struct UpdateCancellationTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    /// An updater whose first server never answers; the next one has a newer pin set, or nothing.
    func hanging(
        newer: Bool = true,
        configure: (inout PinSetUpdater.Configuration) -> Void = { _ in }
    ) async throws -> PinSetUpdater {
        let update: [String: Any] = [
            "urls": ["https://www.example.test/hang"], "interval_s": 86_400,
            "min_interval_s": 3600,
        ]
        let embedded = try await kit.embedded(1, "backend", ["update": update])
        if newer { try await kit.sign(2, "rotated") }
        return try kit.updater(embedded, configure: configure)
    }

    @Test("cancelling ends the wait at once, and others get what the fetch finds")
    func waiting() async throws {
        let updater = try await hanging()
        let cancelled = Task { try await updater.refresh() }
        _ = try await kit.wait("rsa", for: "request")
        async let other = updater.refresh()
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        #expect(updater.status.lastError == nil)

        try await kit.dropConnections("rsa")
        _ = try await other
        #expect(updater.status.order.pinSet == 2)
        // That fetch was the only one.
        let paths = try await kit.events("rsa").compactMap(\.path)
        #expect(paths.prefix(2) == ["/hang", "/bundle.json"])
    }

    @Test("what a fetch finds comes into force although nobody waits any more")
    func abandoned() async throws {
        let (events, event) = AsyncStream<UpdateEvent>.makeStream()
        let updater = try await hanging { $0.onEvent = { event.yield($0) } }
        let cancelled = Task { try await updater.refreshIfDue() }
        _ = try await kit.wait("rsa", for: "request")
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        try await kit.dropConnections("rsa")
        let first = await events.first { _ in true }
        #expect(first == .updated(updater.status.order))
        #expect(updater.status.order.pinSet == 2)
    }

    @Test("a task that is cancelled already fetches nothing")
    func cancelledBefore() async throws {
        let updater = try kit.updater(await kit.embedded(1, "backend"))
        try await kit.sign(2, "rotated")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await updater.refresh()
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        // Whatever it had begun would be there before this.
        #expect(try await updater.refresh() == .updated)
        // One look, which asks each of its two URLs at most once.
        #expect(try await (1...2).contains(kit.fetches()))
    }

    @Test("a request that waits for a pin set ends at once with its mismatch")
    func request() async throws {
        let updater = try await hanging(newer: false)
        let client = try kit.client(of: updater, "interceptor")
        let task = Task { try await client.get("https://api.example.test/") }
        _ = try await kit.wait("interceptor", for: "alert")
        task.cancel()
        let error = try await failure { try await task.value }
        #expect(error.code == "pin_mismatch")
        #expect(updater.status.order.pinSet == 1, "far before the fetch ends")
    }

    @Test("a background job says whether the pin set is as new as it can be")
    func job() async throws {
        let updater = try kit.updater(await kit.embedded(1, "backend"))
        func run() async -> [Bool] {
            let (results, result) = AsyncStream<Bool>.makeStream()
            await updater.refreshInBackground { result.yield($0) }.value
            result.finish()
            return await results.reduce(into: []) { $0.append($1) }
        }
        try await kit.sign(2, "rotated")
        #expect(await run() == [true])
        #expect(updater.status.order.pinSet == 2)
        #expect(await run() == [true], "it is not due")
        // One look, which asks each of its two URLs at most once.
        #expect(try await (1...2).contains(kit.fetches()))

        let other = try await Testkit()
        let alone = try other.updater(await other.embedded(1, "backend"))
        let (results, result) = AsyncStream<Bool>.makeStream()
        await alone.refreshInBackground { result.yield($0) }.value
        #expect(await results.first { _ in true } == false, "there is nothing to be had")
    }

    @Test("a background job whose time is over ends at once")
    func expiredJob() async throws {
        let updater = try await hanging(newer: false)
        let (results, result) = AsyncStream<Bool>.makeStream()
        let job = updater.refreshInBackground { result.yield($0) }
        _ = try await kit.wait("rsa", for: "request")
        job.cancel()
        await job.value
        result.finish()
        #expect(await results.reduce(into: []) { $0.append($1) } == [false])
        #expect(updater.status.order.pinSet == 1, "far before the fetch ends")
    }
}
