import Foundation
import Pinfold
import Testing

/// The owner of the pins, and updaters that look at the server `rsa` for what it signs.
extension Testkit {
    /// Members of a pin set's payload in the place of the testkit's own, in JSON.
    typealias Edits = [String: Any]

    /// What an app is built with that pins one key.
    func embedded(_ version: Int, _ pin: String, _ edits: Edits = [:]) async throws -> Data {
        try await call("POST", "embed?version=\(version)&pins=\(pin)", body: json(edits))
    }

    /// Offers a pin set that pins one key to updaters.
    func sign(_ version: Int, _ pin: String, _ edits: Edits = [:]) async throws {
        let query = "sign?server=rsa&version=\(version)&pins=\(pin)"
        _ = try await call("POST", query, body: json(edits))
    }

    /// Offers something else to updaters.
    func publish(_ bundle: Data) async throws {
        _ = try await call("POST", "publish?server=rsa&path=/bundle.json", body: bundle)
    }

    func clear(_ server: String) async throws {
        _ = try await call("POST", "clear?server=\(server)")
    }

    /// How often updaters have asked.
    func fetches() async throws -> Int {
        try await events("rsa").filter { $0.event == "request" }.count
    }

    /// An updater whose servers' names lead to `rsa`; certificates of the testkit are for several.
    func updater(
        _ embedded: Data,
        configure: (inout PinSetUpdater.Configuration) -> Void = { _ in }
    ) throws -> PinSetUpdater {
        var configuration = PinSetUpdater.Configuration()
        configuration.roots = .only([try certificate("root")])
        configuration.connectTo = try ["www.example.test", "other.example.test"].map {
            ConnectTo(host: $0, address: try address("rsa"))
        }
        configure(&configuration)
        return try PinSetUpdater(embedded: embedded, configuration: configuration)
    }

    /// A client of an updater, for a server.
    func client(
        of updater: PinSetUpdater,
        _ server: String = "backend",
        configure: (inout PinnedClient.Configuration) -> Void = { _ in }
    ) throws -> PinnedClient {
        var configuration = try configuration(server)
        configure(&configuration)
        return try PinnedClient(updater: updater, configuration: configuration)
    }

    /// Days from now, as documents write it.
    static func time(days: Int) -> String {
        ISO8601DateFormatter().string(from: Date(timeIntervalSinceNow: Double(days) * 86_400))
    }

    private func json(_ edits: Edits) throws -> Data {
        try JSONSerialization.data(withJSONObject: edits, options: .sortedKeys)
    }
}

/// What an updater has told.
final class Told: @unchecked Sendable {
    private let lock = NSLock()
    private var events: [UpdateEvent] = []

    @Sendable
    func add(_ event: UpdateEvent) {
        lock.withLock { events.append(event) }
    }

    /// All of it since the last time.
    func take() -> [UpdateEvent] {
        lock.withLock {
            defer { events = [] }
            return events
        }
    }
}

/// The error that `work` throws, which has to be an updater's.
func updateError<T>(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ work: () async throws -> T
) async throws -> PinSetUpdateError {
    do {
        _ = try await work()
    } catch let error as PinSetUpdateError {
        return error
    }
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    throw CancellationError()
}

/// A folder of its own, until this object ends.
final class Folder: Sendable {
    let url: URL

    init() {
        url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    }

    /// The path of what is in it.
    func path(_ name: String) -> String {
        url.appendingPathComponent(name).path
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }
}
