import Foundation
import Pinfold

/// Plays the scenario of `scripts/demo`: a line `STEP OUTCOME` for each step, and `issuer NAME`.
/// With `PINFOLD_DEMO_WHO` it answers ``Who`` instead, with `PINFOLD_DEMO_ROTATE` it plays
/// ``Rotate``.
@main
struct Demo {
    let folder: URL
    let url: String
    let roots: Roots

    static func main() async throws {
        if Who.isAsked {
            try await Who().run()
        } else if Rotate.isAsked {
            try await Rotate().run()
        } else {
            try await Demo().run()
        }
    }

    init() throws {
        folder = URL(fileURLWithPath: try setting("DIR"))
        url = try setting("URL")
        let file = folder.appendingPathComponent("roots.pem")
        roots = .only(certificates(try String(contentsOf: file, encoding: .utf8)))
    }

    func run() async throws {
        let live = try client("BACKEND", "pins.json")
        print("pinned", try await outcome(live).name)
        // The connection to the backend is alive, and its key has not changed.
        try live.replacePins(pins("changed.json"))
        print("changed", try await outcome(live).name)
        print("impostor", try await outcome(client("IMPOSTOR", "pins.json")).name)
        let intercepted = try await outcome(client("INTERCEPTOR", "pins.json"))
        print("interceptor", intercepted.name)
        // The error says who was there.
        if let issuer = intercepted.error?.certificate?.issuer { print("issuer", issuer) }
        print("report_only", try await outcome(client("INTERCEPTOR", "report.json")).name)
    }

    func outcome(_ client: PinnedClient) async throws -> Outcome {
        try await Outcome(of: client, url: url)
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

/// How a request ended, in the words of the error codes.
struct Outcome {
    let name: String
    /// What it failed with, or with ``Mode/reportOnly`` would have.
    let error: PinfoldError?

    init(of client: PinnedClient, url: String) async throws {
        do {
            switch try await client.get(url).pinning {
            case .matched: (name, error) = ("match", nil)
            case .reportOnly(let mismatch): (name, error) = ("report_only", mismatch)
            case .inspected(_, _, let mismatch): (name, error) = ("inspected", mismatch)
            case .off: (name, error) = ("off", nil)
            case .lapsed: (name, error) = ("lapsed", nil)
            case .notPinned: (name, error) = ("not_pinned", nil)
            }
        } catch let failure as PinfoldError {
            (name, error) = (failure.code, failure)
        }
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
