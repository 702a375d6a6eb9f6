import Foundation
import Pinfold

/// One request, and one line on who is in the middle: `CODE KIND CONFIDENCE PRODUCT`, with `-` for
/// what there is not. The product comes last: it may have spaces.
struct Who {
    static var isAsked: Bool { (try? setting("WHO")) != nil }

    func run() async throws {
        let outcome = try await Outcome(of: client(), url: setting("URL"))
        let report = outcome.error?.interception
        print(
            outcome.name, report?.kind.code ?? "-", report?.confidence.code ?? "-",
            report?.product ?? "-")
    }

    private func client() throws -> PinnedClient {
        var configuration = PinnedClient.Configuration()
        configuration.roots = try roots()
        configuration.connectTo = [
            ConnectTo(host: try setting("HOST"), address: try setting("CONNECT"))
        ]
        let pins = try Data(contentsOf: URL(fileURLWithPath: setting("PINS")))
        return try PinnedClient(pins: PinSet(json: pins), configuration: configuration)
    }

    private func roots() throws -> Roots {
        switch try setting("ROOTS") {
        case "system": .system
        case "bundled": .bundled
        case let file: .only(certificates(try String(contentsOfFile: file, encoding: .utf8)))
        }
    }
}
