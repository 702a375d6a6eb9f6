import Foundation
import Pinfold

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Pinfold's Swift beside URLSession. They take turns round by round; each round gives a ratio to
/// Pinfold. A line `CASE CLIENT MICROSECONDS RATIO` for each.
@main
struct Bench {
    let folder: URL
    let address: String
    let scale: Double

    static func main() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let kept = Kept()
        let session = kept.keep(bench.session())
        var withSession = true
        do {
            try await bench.get(session, "/1k")
        } catch {
            // It trusts the system's authorities only, and the benchmark's is not one everywhere.
            FileHandle.standardError.write(Data("URLSession is left out: \(error)\n".utf8))
            withSession = false
        }
        let contenders = { (own: Contender, peer: Contender) in withSession ? [own, peer] : [own] }
        try await bench.measure(
            "warm", rounds: 21, perRound: 400,
            contenders(
                ("Pinfold (Swift)", { try await bench.get(client, "/1k") }),
                ("URLSession", { try await bench.get(session, "/1k") })
            ))
        try await bench.measure(
            "full", rounds: 11, perRound: 40,
            contenders(
                ("Pinfold (Swift)", { try await bench.get(bench.client(), "/1k") }),
                ("URLSession", { try await bench.get(kept.keep(bench.session()), "/1k") })
            ))
        try await bench.measure(
            "resumed", rounds: 11, perRound: 60,
            contenders(
                ("Pinfold (Swift)", { try await bench.get(client, "/close/1k") }),
                ("URLSession", { try await bench.get(session, "/close/1k") })
            ))
        // Without unwinding: URLSession 6.0 on Linux crashes when a session goes.
        exit(0)
    }

    init() throws {
        folder = URL(fileURLWithPath: try setting("DIR"))
        address = try setting("SERVER")
        scale = Double(try setting("SCALE")) ?? 1
    }

    typealias Contender = (name: String, send: @Sendable () async throws -> Void)

    func measure(
        _ name: String, rounds: Int, perRound: Int, _ contenders: [Contender]
    ) async throws {
        let perRound = max(5, Int(Double(perRound) * scale))
        for contender in contenders {
            for _ in 0..<perRound { try await contender.send() }
        }
        var medians = contenders.map { _ -> [Double] in [] }
        for round in 0..<rounds {
            for turn in contenders.indices {
                let i = (turn + round) % contenders.count
                var times: [Double] = []
                for _ in 0..<perRound {
                    let begun = DispatchTime.now().uptimeNanoseconds
                    try await contenders[i].send()
                    times.append(Double(DispatchTime.now().uptimeNanoseconds - begun) / 1_000)
                }
                medians[i].append(median(times))
            }
        }
        for (contender, times) in zip(contenders, medians) {
            let ratio = median(zip(times, medians[0]).map { $0 / $1 })
            let figures = String(format: "%.1f\t%.2f", median(times), ratio)
            let line = "\(name)\t\(contender.name)\t\(figures)\n"
            // At once: what is printed to a pipe would be lost in a crash.
            FileHandle.standardOutput.write(Data(line.utf8))
        }
    }

    func client() throws -> PinnedClient {
        var configuration = PinnedClient.Configuration()
        let root = folder.appendingPathComponent("root.der")
        configuration.roots = .only([try Data(contentsOf: root)])
        // URLSession cannot be told an address, so both go to the address itself.
        let pins = try String(
            contentsOf: folder.appendingPathComponent("pins.json"), encoding: .utf8)
        let set = pins.replacingOccurrences(of: "api.example.test", with: "127.0.0.1")
        return try PinnedClient(pins: PinSet(json: set), configuration: configuration)
    }

    func session() -> URLSession {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        configuration.urlCache = nil
        return URLSession(configuration: configuration)
    }

    func get(_ client: PinnedClient, _ path: String) async throws {
        try check(await client.get("https://\(address)\(path)").body.count)
    }

    func get(_ session: URLSession, _ path: String) async throws {
        guard let url = URL(string: "https://\(address)\(path)") else { throw Unexpected() }
        try check(await session.data(from: url).0.count)
    }

    func check(_ count: Int) throws {
        guard count == 1_024 else { throw Unexpected() }
    }
}

/// Holds sessions until the end, for the same reason.
final class Kept: @unchecked Sendable {
    private var sessions: [URLSession] = []

    func keep(_ session: URLSession) -> URLSession {
        sessions.append(session)
        return session
    }
}

struct Unexpected: Error {}

func median(_ values: [Double]) -> Double {
    values.sorted()[values.count / 2]
}

func setting(_ name: String) throws -> String {
    guard let value = ProcessInfo.processInfo.environment["PINFOLD_BENCH_\(name)"] else {
        throw Unexpected()
    }
    return value
}
