import Foundation
import Pinfold
import Testing

/// The whole decision without a connection.
struct ExplainTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    @Test("a match is told with its path, its entry and its pin")
    func match() async throws {
        var policy = try kit.policy("intermediate", at: .ca)
        policy.pins[0].label = "of this year"
        policy.expires = Date(timeIntervalSince1970: 4_000_000_000)
        let at = Date(timeIntervalSince1970: 1_900_000_000.75)
        let told = try await kit.client("backend", policy).explain(
            host: "API.example.test", chain: kit.chain("backend", "intermediate"), at: at)
        #expect(told.host == Testkit.host)
        #expect(told.at == Date(timeIntervalSince1970: 1_900_000_000))
        #expect(told.isAllowed)
        #expect(told.verdict == .match)
        #expect(told.distrust == nil)
        #expect(told.error == nil)
        #expect(told.interception == nil)

        let entry = try #require(told.policy)
        #expect(entry.host == Testkit.host)
        #expect(entry.isExact)
        #expect(entry.mode == .enforce)
        #expect(entry.trust == .systemAndPin)
        #expect(entry.expires == policy.expires)
        #expect(entry.pins == policy.pins)

        let path = try #require(told.paths.last)
        #expect(path.fate == .match)
        let keys = try ["backend", "intermediate", "root"].map(kit.pin)
        #expect(path.certificates.map(\.pin) == keys)
        let match = try #require(told.match)
        #expect(match.pin == keys[1])
        #expect(match.at == .ca)
        #expect(match.depth == 1)
        #expect(match.state == .active)
        #expect(match.subject == path.certificates[1].subject)
        #expect(match.subject?.isEmpty == false)
    }

    @Test("after a mismatch the client of an updater looks for a newer pin set")
    func renewal() async throws {
        let updater = try kit.updater(await kit.embedded(1, "backend"))
        try await kit.sign(2, "rotated")
        let client = try kit.client(of: updater)
        let path = try kit.chain("rotated", "intermediate")
        #expect(try await client.explain(host: Testkit.host, chain: path).isAllowed)
        #expect(updater.pins.version == 2)
    }

    @Test("a mismatch is told with the error that a request fails with")
    func mismatch() async throws {
        let client = try kit.client("interceptor")
        let told = try await client.explain(host: Testkit.host, chain: kit.chain("interceptor"))
        #expect(!told.isAllowed)
        #expect(told.verdict == .noMatch)
        #expect(told.distrust == nil)
        #expect(told.match == nil)
        #expect(told.paths.map(\.fate) == [.noPin])
        #expect(told.interception?.kind == .rotatedOrMisissued)
        #expect(told.interception == told.error?.interception)
        let error = try await failure { try await client.get("https://api.example.test/") }
        #expect(told.error == error)
    }

    @Test("what only reports or is off is allowed, and says which")
    func modes() async throws {
        let chain = try kit.chain("interceptor")
        let report = try await kit.client("backend", kit.policy(mode: .reportOnly))
            .explain(host: Testkit.host, chain: chain)
        #expect(report.isAllowed)
        #expect(report.verdict == .noMatch)
        #expect(report.policy?.mode == .reportOnly)
        #expect(report.error == nil)
        #expect(report.interception != nil)

        let off = try await kit.client("backend", kit.policy(mode: .off))
            .explain(host: Testkit.host, chain: chain)
        #expect(off.isAllowed)
        #expect(off.verdict == .off)
        #expect(off.paths.map(\.fate) == [.accepted])

        var policy = try kit.policy()
        policy.expires = Date(timeIntervalSince1970: 1_900_000_000)
        let lapsed = try await kit.client("backend", policy)
            .explain(host: Testkit.host, chain: chain, at: Date(timeIntervalSince1970: 1.9e9))
        #expect(lapsed.isAllowed)
        #expect(lapsed.verdict == .lapsed)
    }

    @Test("a host without an entry is refused, unless the client allows such hosts")
    func notPinned() async throws {
        let chain = try kit.chain("backend", "intermediate")
        let strict = try await kit.client().explain(host: "www.example.test", chain: chain)
        #expect(!strict.isAllowed)
        #expect(strict.verdict == .notPinned)
        #expect(strict.policy == nil)
        #expect(strict.error?.code == "host_not_pinned")
        #expect(strict.interception == nil)

        let lenient = try await kit.client { $0.denyUnpinned = false }
            .explain(host: "www.example.test", chain: chain)
        #expect(lenient.isAllowed)
        #expect(lenient.verdict == .notPinned)
        #expect(lenient.error == nil)
    }

    @Test("a blocked key is told with the path that it is on")
    func blockedKey() async throws {
        let pins = try PinSet(
            hosts: [kit.policy(mode: .reportOnly)], blockedSPKI: [kit.pin("intermediate")])
        let client = try PinnedClient(pins: pins, configuration: kit.configuration("backend"))
        let chain = try kit.chain("backend", "intermediate")
        let told = try await client.explain(host: Testkit.host, chain: chain)
        #expect(!told.isAllowed)
        #expect(told.verdict == .blockedKey)
        #expect(!told.paths.isEmpty)
        #expect(told.paths.allSatisfy { $0.fate == .blocked })
        #expect(told.error?.code == "blocked_key")
        #expect(told.interception == nil)
    }

    @Test("an entry of a parent that includes its subdomains is told as such")
    func subdomain() async throws {
        var parent = try kit.policy()
        parent.host = "example.test"
        parent.includeSubdomains = true
        let exact = try kit.policy("rotated")
        let client = try kit.client("backend", parent, exact)
        let chain = try kit.chain("backend", "intermediate")
        let below = try await client.explain(host: "www.example.test", chain: chain)
        #expect(below.isAllowed)
        #expect(below.policy?.host == "example.test")
        #expect(below.policy?.isExact == false)
        let own = try await client.explain(host: Testkit.host, chain: chain)
        #expect(own.verdict == .noMatch)
        #expect(own.policy?.host == Testkit.host)
        #expect(own.policy?.isExact == true)
    }

    @Test(
        "a certificate that is not trusted is told with the reason",
        arguments: [
            ("expired", UntrustedReason.expired), ("not_yet_valid", .notYetValid),
            ("impostor", .unknownIssuer), ("wrong_host", .wrongHost),
        ])
    func untrusted(leaf: String, reason: UntrustedReason) async throws {
        let client = try kit.client("backend", kit.policy(leaf))
        let chain = try kit.chain(leaf, "intermediate")
        let told = try await client.explain(host: Testkit.host, chain: chain)
        #expect(!told.isAllowed)
        #expect(told.distrust == reason)
        #expect(told.error?.code == "certificate_\(reason.rawValue)")
        #expect(told.interception == told.error?.interception)
        #expect(told.interception != nil)
        // The key itself is pinned.
        #expect(told.verdict == .match)
    }

    @Test("a time that is asked about is nobody's wrong clock")
    func wrongClock() async throws {
        let told = try await kit.client().explain(
            host: Testkit.host, chain: kit.chain("backend", "intermediate"),
            at: Date(timeIntervalSince1970: 1_560_000_000))
        #expect(told.distrust == .notYetValid)
        #expect(told.interception == nil)
    }

    @Test("the JSON is that of the command line")
    func json() async throws {
        struct Told: Decodable {
            struct Policy: Decodable { let host, reason: String }
            let decision, verdict, trust, host, at: String
            let policy: Policy
        }
        let told = try await kit.client().explain(
            host: Testkit.host, chain: kit.chain("backend", "intermediate"),
            at: Date(timeIntervalSince1970: 1_900_000_000))
        let json = try JSONDecoder().decode(Told.self, from: Data(told.json.utf8))
        #expect(json.decision == "allow")
        #expect(json.verdict == "match")
        #expect(json.trust == "trusted")
        #expect(json.host == Testkit.host)
        #expect(json.at == "2030-03-17T17:46:40Z")
        #expect(json.policy.host == Testkit.host)
        #expect(json.policy.reason == "exact")
    }

    @Test("a replaced pin set is the one that is explained, until the client is closed")
    func replaced() async throws {
        let client = try kit.client()
        let chain = try kit.chain("backend", "intermediate")
        try client.replacePins(PinSet(hosts: [kit.policy("rotated")]))
        let told = try await client.explain(host: Testkit.host, chain: chain)
        #expect(told.verdict == .noMatch)
        client.close()
        let error = try await failure { try await client.explain(host: Testkit.host, chain: chain) }
        #expect(error.code == "client_closed")
    }

    @Test("nonsense is refused with its place, or is a certificate that is not trusted")
    func nonsense() async throws {
        let client = try kit.client()
        let chain = try kit.chain("backend", "intermediate")
        for host in ["", "a b", "a\0b", huge] {
            let error = try await failure { try await client.explain(host: host, chain: chain) }
            #expect(error.code == "invalid_request")
            #expect(error.place == "host")
        }
        let empty = try await failure {
            try await client.explain(host: Testkit.host, chain: [])
        }
        #expect(empty.code == "invalid_request")
        #expect(empty.place == "chain")
        for seconds in [-1, .nan, .infinity, 253_402_300_800] {
            let at = Date(timeIntervalSince1970: seconds)
            let error = try await failure {
                try await client.explain(host: Testkit.host, chain: chain, at: at)
            }
            #expect(error.code == "invalid_request")
            #expect(error.place == "at")
        }
        // What a server could present is judged, and refused as in a handshake.
        let junk = [[Data()], [Data("certificate".utf8)], Array(repeating: Data(), count: 33)]
        for chain in junk {
            let told = try await client.explain(host: Testkit.host, chain: chain)
            #expect(!told.isAllowed)
            #expect(told.distrust == .invalid)
            #expect(told.error?.code == "certificate_invalid")
            #expect(told.interception == nil)
        }
    }
}
