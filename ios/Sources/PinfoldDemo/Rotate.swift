import Foundation
import Pinfold

/// A rotation without a release: a line `OUTCOME pin set VERSION` for each of three requests, where
/// the outcome is the status or the error's code. Before the second and the third it waits for a
/// line on standard input: the server's key has changed, and has changed back.
struct Rotate {
    static var isAsked: Bool { (try? setting("ROTATE")) != nil }

    let roots: Roots

    init() throws {
        let pem = try String(contentsOfFile: setting("ROOTS"), encoding: .utf8)
        roots = .only(certificates(pem))
    }

    func run() async throws {
        let updater = try updater()
        let running = try client(of: updater)
        // As an app does at its start.
        try await updater.refreshIfDue()
        try await tell(running, updater)
        _ = readLine()
        // The running one would resume its TLS session, which is as good as its pins.
        try await tell(client(of: updater), updater)
        _ = readLine()
        try await tell(running, updater)
    }

    private func tell(_ client: PinnedClient, _ updater: PinSetUpdater) async throws {
        let outcome = try await outcome(of: client, url: setting("URL"))
        let line = "\(outcome) pin set \(updater.status.order.pinSet)\n"
        // `print` would keep it back until the end.
        FileHandle.standardOutput.write(Data(line.utf8))
    }

    private func outcome(of client: PinnedClient, url: String) async throws -> String {
        do {
            return "\(try await client.get(url).status)"
        } catch let error as PinfoldError {
            return error.code
        }
    }

    private func updater() throws -> PinSetUpdater {
        let embedded = try Data(contentsOf: URL(fileURLWithPath: setting("ROTATE")))
        var configuration = PinSetUpdater.Configuration()
        configuration.roots = roots
        configuration.connectTo = try updateHosts(embedded).map {
            ConnectTo(host: $0, address: try setting("UPDATES"))
        }
        return try PinSetUpdater(embedded: embedded, configuration: configuration)
    }

    /// The names that lead to the update server.
    private func updateHosts(_ embedded: Data) throws -> Set<String> {
        struct Embedded: Decodable { let update_urls: [URL] }
        let urls = try JSONDecoder().decode(Embedded.self, from: embedded).update_urls
        return Set(urls.compactMap(\.host))
    }

    private func client(of updater: PinSetUpdater) throws -> PinnedClient {
        var configuration = PinnedClient.Configuration()
        configuration.roots = roots
        configuration.connectTo = [
            ConnectTo(host: try setting("HOST"), address: try setting("BACKEND"))
        ]
        return try PinnedClient(updater: updater, configuration: configuration)
    }
}
