import Foundation
import Pinfold

/// One client of an updater, while others change the server's key: a request at once and one for
/// each line that comes in, and for each of them a line `STATUS pin set VERSION`, with an error's
/// code where there is no status.
struct Rotate {
    static var isAsked: Bool { (try? setting("ROTATE")) != nil }

    let roots: Roots

    init() throws {
        let pem = try String(contentsOfFile: setting("ROOTS"), encoding: .utf8)
        roots = .only(certificates(pem))
    }

    func run() async throws {
        let updater = try updater()
        let client = try client(of: updater)
        let url = try setting("URL")
        repeat {
            let outcome = try await outcome(of: client, url: url)
            let line = "\(outcome) pin set \(updater.status.order.pinSet)\n"
            // `print` would keep it back until the end.
            FileHandle.standardOutput.write(Data(line.utf8))
        } while readLine() != nil
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
