import Foundation
import Pinfold

/// Plays the scenario of `scripts/demo`: a line `STEP OUTCOME` for each step.
@main
struct Demo {
    let folder: URL
    let url: String
    let roots: Roots

    static func main() async throws {
        try await Demo().run()
    }

    init() throws {
        folder = URL(fileURLWithPath: try setting("DIR"))
        url = try setting("URL")
        let file = folder.appendingPathComponent("roots.pem")
        roots = .only(certificates(try String(contentsOf: file, encoding: .utf8)))
    }

    func run() async throws {
        let live = try client("BACKEND", "pins.json")
        print("pinned", try await outcome(live))
        // The connection to the backend is alive, and its key has not changed.
        try live.replacePins(pins("changed.json"))
        print("changed", try await outcome(live))
        print("impostor", try await outcome(client("IMPOSTOR", "pins.json")))
        print("interceptor", try await outcome(client("INTERCEPTOR", "pins.json"), names: "issuer"))
        print("report_only", try await outcome(client("INTERCEPTOR", "report.json")))
    }

    /// How a request ended; with `names`, also a line that says who issued a refused certificate.
    func outcome(_ client: PinnedClient, names step: String? = nil) async throws -> String {
        do {
            return switch try await client.get(url).pinning {
            case .matched: "match"
            case .reportOnly: "report_only"
            case .off: "off"
            case .lapsed: "lapsed"
            case .notPinned: "not_pinned"
            }
        } catch let error as PinfoldError {
            if let step, let issuer = error.certificate?.issuer { print(step, issuer) }
            return error.code
        }
    }

    func client(_ server: String, _ file: String) throws -> PinnedClient {
        var configuration = PinnedClient.Configuration()
        configuration.roots = roots
        configuration.connectTo = [
            ConnectTo(host: try setting("HOST"), address: try setting(server))
        ]
        return try PinnedClient(pins: pins(file), configuration: configuration)
    }

    func pins(_ file: String) throws -> PinSet {
        try PinSet(json: Data(contentsOf: folder.appendingPathComponent(file)))
    }
}

struct MissingSetting: Error {
    let name: String
}

func setting(_ name: String) throws -> String {
    let name = "PINFOLD_DEMO_\(name)"
    guard let value = ProcessInfo.processInfo.environment[name] else {
        throw MissingSetting(name: name)
    }
    return value
}

/// The certificates of a PEM file, in DER.
func certificates(_ pem: String) -> [Data] {
    pem.components(separatedBy: "-----BEGIN CERTIFICATE-----").dropFirst().compactMap { part in
        let base64 = part.components(separatedBy: "-----END").first ?? ""
        return Data(base64Encoded: base64, options: .ignoreUnknownCharacters)
    }
}
