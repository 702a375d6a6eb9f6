import Foundation
import Testing

@testable import Pinfold

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A session uses an HTTP/2 connection for every name of its certificate and asks once. Those of the
/// testkit are for `api`, `www` and `other.example.test`.
struct SessionNamesTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    /// Decisions of a client that allows hosts without an entry.
    func decisions(_ policies: HostPolicy...) throws -> SessionDecisions {
        var configuration = try kit.configuration("backend")
        configuration.denyUnpinned = false
        return SessionDecisions(
            try PinnedClient(pins: PinSet(hosts: policies), configuration: configuration))
    }

    /// The host, and the code of the error, with which a chain is refused for `www.example.test`.
    func refusal(
        _ decisions: SessionDecisions,
        _ chain: String...,
        isProxy: Bool = false
    ) async throws -> [String?] {
        let host = "www.example.test"
        let chain = try chain.map { try kit.certificate($0) }
        guard await decisions.answer(host: host, isProxy: isProxy, chain: chain) == .refuse
        else { return [] }
        let url = URL(string: "https://\(host)/")
        let cause = decisions.cause(of: URLError(.cancelled), at: url) as? PinfoldError
        return [cause?.certificate?.host, cause?.code]
    }

    func policy(_ key: String, _ host: String, mode: Mode = .enforce) throws -> HostPolicy {
        var policy = try kit.policy(key, mode: mode)
        policy.host = host
        return policy
    }

    @Test("a host without an entry gets no certificate that is wrong for a pinned host")
    func unpinned() async throws {
        let decisions = try decisions(kit.policy())
        let mismatch = [Testkit.host, "pin_mismatch"]
        #expect(try await refusal(decisions, "interceptor", "other_root") == mismatch)
        #expect(try await refusal(decisions, "backend", "intermediate") == [])
    }

    @Test(
        "what only reports, or does not look, does not open another host",
        arguments: [
            Mode.reportOnly, .off,
        ])
    func lenient(mode: Mode) async throws {
        var policies = try [policy("backend", "www.example.test", mode: mode)]
        let alone = SessionDecisions(
            try PinnedClient(
                pins: PinSet(hosts: policies), configuration: kit.configuration("backend")))
        #expect(try await refusal(alone, "interceptor", "other_root") == [])
        policies.append(try kit.policy())
        let both = SessionDecisions(
            try PinnedClient(
                pins: PinSet(hosts: policies), configuration: kit.configuration("backend")))
        let mismatch = [Testkit.host, "pin_mismatch"]
        #expect(try await refusal(both, "interceptor", "other_root") == mismatch)
    }

    @Test("one host's pins do not open another host")
    func matched() async throws {
        let decisions = try decisions(policy("interceptor", "www.example.test"), kit.policy())
        let mismatch = [Testkit.host, "pin_mismatch"]
        #expect(try await refusal(decisions, "interceptor", "other_root") == mismatch)
    }

    @Test("names that an entry holds for without naming them count, too")
    func subdomains() async throws {
        var policy = try policy("backend", "example.test")
        #expect(try await refusal(decisions(policy), "interceptor", "other_root") == [])
        policy.includeSubdomains = true
        policy.host = "other.example.test"
        let mismatch = ["other.example.test", "pin_mismatch"]
        #expect(try await refusal(decisions(policy), "interceptor", "other_root") == mismatch)
        policy.host = "example.test"
        let open = try self.policy("backend", "www.example.test", mode: .off)
        let parent = try await refusal(decisions(policy, open), "interceptor", "other_root")
        #expect(parent == [Testkit.host, "pin_mismatch"])
    }

    @Test("another host's own authorities count, too")
    func privateAuthority() async throws {
        var policy = try kit.policy(mode: .off)
        policy.trust = .privateCa
        policy.anchors = [try kit.certificate("root")]
        let decisions = try decisions(policy)
        let untrusted = [Testkit.host, "certificate_unknown_issuer"]
        #expect(try await refusal(decisions, "interceptor", "other_root") == untrusted)
        #expect(try await refusal(decisions, "backend", "intermediate") == [])
    }

    @Test("pinned hosts that the certificate is not for do not matter, nor what only reports")
    func others() async throws {
        var alone = try policy("backend", "else.example.test")
        alone.trust = .pinOnly
        for i in alone.pins.indices { alone.pins[i].at = .leaf }
        let decisions = try decisions(
            alone, policy("backend", "third.example.test"),
            policy("backend", Testkit.host, mode: .reportOnly))
        #expect(try await refusal(decisions, "interceptor", "other_root") == [])
    }

    @Test("a proxy's certificate is for the proxy alone")
    func proxy() async throws {
        let decisions = try decisions(kit.policy())
        #expect(try await refusal(decisions, "interceptor", "other_root", isProxy: true) == [])
    }

    @Test("where another host's pins have changed, newer ones are looked for")
    func renewal() async throws {
        let updater = try kit.updater(await kit.embedded(1, "backend"))
        try await kit.sign(2, "rotated")
        var configuration = try kit.configuration("backend")
        configuration.denyUnpinned = false
        let decisions = SessionDecisions(
            try PinnedClient(updater: updater, configuration: configuration))
        #expect(try await refusal(decisions, "rotated", "intermediate") == [])
        #expect(updater.pins.version == 2)
    }
}
