import Foundation
import Observation
import Pinfold
import Testing

@testable import Sample

/// Over real connections to `serve`, which has to run; with the pins and keys of `make-pins`.
@MainActor
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ModelTests {
    private static let pins = URL(fileURLWithPath: #filePath)
        .appendingPathComponent("../../../../target/ios/sample").standardized

    @Test("a server whose key is pinned is allowed")
    func allowed() async throws {
        let verdict = try await send("https://api.pinfold.test/")
        let key = "The server’s own key is pinned for api.pinfold.test: sha256/"
        #expect(verdict.hasPrefix("Allowed: HTTP 200\n\(key)"))
    }

    @Test("a server whose pins do not fit is refused, and its issuer named")
    func refused() async throws {
        let verdict = try await send("https://other.pinfold.test/")
        #expect(verdict.hasPrefix("Refused, before anything of the request was sent\n"))
        #expect(verdict.contains("\npin_mismatch: "))
        #expect(verdict.contains("\nIssued by pins.pinfold.test\n"))
        #expect(verdict.contains("\nProbably "))
        #expect(verdict.contains("\n• "))
    }

    @Test("a host that the pin set does not name is none")
    func unknown() async throws {
        let verdict = try await send("https://example.com/")
        #expect(verdict.hasPrefix("Failed\nhost_not_pinned: "))
    }

    @Test("what is no URL fails, and the next request is sent all the same")
    func recovers() async throws {
        let model = try model()
        model.url = "no URL"
        await model.send()
        #expect(model.verdict.hasPrefix("Failed\ninvalid_url: "))
        #expect(!model.isSending)
        model.url = "https://api.pinfold.test/"
        await model.send()
        #expect(model.verdict.hasPrefix("Allowed"))
    }

    @Test("the simulation refuses what is allowed without")
    func simulation() async throws {
        let model = try model { _, requests in
            // The pins that fit no server do not say whom to trust, as the pin set does.
            requests.roots = .only([try authority()])
        }
        model.url = "https://api.pinfold.test/"
        model.simulatesInterception = true
        await model.send()
        #expect(model.verdict.contains("\npin_mismatch: "))
        model.simulatesInterception = false
        await model.send()
        #expect(model.verdict.hasPrefix("Allowed"))
    }

    @Test("an update is in force, told, and there after a start")
    func update() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        var first: Model? = try model { updates, _ in updates.directory = folder }
        #expect(first?.status.hasPrefix("Pin set 1 (root 1, epoch 0), fresh\nIssued 20") == true)
        #expect(first?.status.contains("Checked never, next in 0h 0m 0s") == true)
        await first?.update()
        #expect(first?.status.hasPrefix("Pin set 2 (root 1, epoch 0), fresh\n") == true)
        await wait { first?.status.contains("\nLast event: pin set 2 is in force") == true }
        first = nil

        let second = try model { updates, _ in updates.directory = folder }
        #expect(second.status.hasPrefix("Pin set 2 ("))
        #expect(!second.status.contains("Checked never"))
        #expect(!second.status.contains("Last event"))
    }

    @Test("an update that cannot be had is told, and requests go on")
    func unavailable() async throws {
        // As in a release build, which trusts the system's authorities.
        let model = try model { updates, _ in updates.roots = .bundled }
        await model.updateIfDue()
        #expect(model.status.hasPrefix("Pin set 1 ("))
        #expect(model.status.contains("\nLast error: unavailable: "))
        await wait { model.status.contains("\nLast event: no update could be had: ") }
        #expect(!model.isUpdating)
        model.url = "https://api.pinfold.test/"
        await model.send()
        #expect(model.verdict.hasPrefix("Allowed"))
    }

    private func send(_ url: String) async throws -> String {
        let model = try model()
        model.url = url
        await model.send()
        return model.verdict
    }

    private func model(
        configure: (inout PinSetUpdater.Configuration, inout PinnedClient.Configuration) throws
            -> Void = { _, _ in }
    ) throws -> Model {
        var updates = PinSetUpdater.Configuration()
        let address = try String(
            contentsOf: Self.pins.appendingPathComponent("debug/serve.txt"), encoding: .utf8)
        updates.useServe(at: address, authority: try authority())
        var requests = PinnedClient.Configuration()
        requests.useServe(at: address)
        try configure(&updates, &requests)
        let embedded = try Data(contentsOf: Self.pins.appendingPathComponent("assets/pinfold.json"))
        return try Model(embedded: embedded, updates: updates, requests: requests)
    }

    private func authority() throws -> Data {
        try Data(contentsOf: Self.pins.appendingPathComponent("debug/authority.der"))
    }

    /// Returns once it is so, for events come by a way of their own; or when time is up.
    private func wait(for condition: () -> Bool) async {
        while !condition() && !Task.isCancelled {
            let (changes, changed) = AsyncStream.makeStream(of: Void.self)
            withObservationTracking {
                _ = condition()
            } onChange: {
                changed.yield()
            }
            for await _ in changes { break }
        }
    }
}
