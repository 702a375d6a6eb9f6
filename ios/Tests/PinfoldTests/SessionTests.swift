import Foundation
import Testing

@testable import Pinfold

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// What sessions of `URLSession` are told about servers' certificates. The trust object and the
/// challenge exist on Apple's systems only; what is between them is the same here.
struct SessionTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    /// Decisions of a client that relies on the test roots.
    func decisions(
        _ policies: HostPolicy...,
        configure: (inout PinnedClient.Configuration) -> Void = { _ in }
    ) throws -> SessionDecisions {
        let client =
            try policies.isEmpty
            ? kit.client("backend", configure: configure)
            : kit.client("backend", policies[0], configure: configure)
        // Its own clock: on a busy machine a cause may be older than its half minute.
        let start = Date()
        return SessionDecisions(client, now: { start })
    }

    func cancelled(_ url: String?, _ code: URLError.Code = .cancelled) -> URLError {
        let url = url.flatMap(URL.init(string:))
        return URLError(code, userInfo: url.map { [NSURLErrorFailingURLErrorKey: $0] } ?? [:])
    }

    @Test("a path with a pin is used, one without is refused with the client's error")
    func pins() async throws {
        let decisions = try decisions()
        let path = try kit.chain("backend", "intermediate", "root")
        #expect(await decisions.answer(host: Testkit.host, isProxy: false, chain: path) == .use)
        let other = try kit.chain("interceptor", "other_root")
        #expect(await decisions.answer(host: Testkit.host, isProxy: false, chain: other) == .refuse)

        let cause = decisions.cause(of: cancelled("https://API.example.test/v1?x"), at: nil)
        let expected = try await failure {
            try await kit.client("interceptor").get("https://api.example.test/")
        }
        #expect(cause as? PinfoldError == expected)
    }

    @Test("a pinned certificate that is pasted behind another proves nothing")
    func pasted() async throws {
        let decisions = try decisions(kit.policy("intermediate", at: .ca))
        let genuine = try kit.chain("backend", "intermediate", "root")
        #expect(await decisions.answer(host: Testkit.host, isProxy: false, chain: genuine) == .use)
        let pasted = try kit.chain("interceptor", "other_root", "intermediate")
        #expect(
            await decisions.answer(host: Testkit.host, isProxy: false, chain: pasted) == .refuse)
    }

    @Test("what cannot be judged is refused, with the reason")
    func unknown() async throws {
        let client = try kit.client()
        let decisions = SessionDecisions(client)
        let path = try kit.chain("backend", "intermediate")
        func code(_ host: String, _ chain: [Data]) async -> String? {
            guard await decisions.answer(host: host, isProxy: false, chain: chain) == .refuse
            else { return nil }
            return (decisions.cause(of: cancelled("https://\(host)/"), at: nil) as? PinfoldError)?
                .code
        }
        #expect(await code(Testkit.host, []) == "invalid_request")
        #expect(await code(Testkit.host, [Data()]) == "certificate_invalid")
        #expect(await code(Testkit.host, [Data("certificate".utf8)]) == "certificate_invalid")
        #expect(await code("www.example.test", path) == "host_not_pinned")
        #expect(await decisions.answer(host: "", isProxy: false, chain: path) == .refuse)
        #expect(await decisions.answer(host: "a b", isProxy: true, chain: path) == .refuse)
        #expect(await code(Testkit.host, try kit.chain("expired")) == "certificate_expired")
        client.close()
        #expect(await code(Testkit.host, path) == "client_closed")
    }

    @Test("where the system's authorities count, the system has the last word")
    func lastWord() async throws {
        func isOurs(
            _ policy: HostPolicy, at: Date = Date(), roots: Roots? = nil
        ) async throws -> Bool {
            let told = try await kit.client("backend", policy).explain(
                host: Testkit.host, chain: kit.chain("backend"), at: at)
            return SessionDecisions.isTrustOurs(told, usesSystemRoots: roots == .system)
        }
        var policy = try kit.policy()
        #expect(try await !isOurs(policy, roots: .system))
        #expect(try await isOurs(policy, roots: .bundled))
        policy.trust = .privateCa
        policy.anchors = [try kit.certificate("root")]
        policy.expires = Date(timeIntervalSince1970: 1_900_000_000)
        #expect(try await isOurs(policy, roots: .system))
        #expect(try await isOurs(policy, at: Date(timeIntervalSince1970: 2e9), roots: .system))
        policy.trust = .pinOnly
        policy.anchors = []
        for i in policy.pins.indices { policy.pins[i].at = .leaf }
        #expect(try await isOurs(policy, roots: .system))
        // Without its pins nothing is left of it but the system's trust.
        #expect(try await !isOurs(policy, at: Date(timeIntervalSince1970: 2e9), roots: .system))
    }

    @Test("an entry's own authorities, or its pins alone, need no system")
    func ownTrust() async throws {
        var policy = try kit.policy()
        let path = try kit.chain("backend", "intermediate", "root")
        policy.trust = .privateCa
        policy.anchors = [try kit.certificate("root")]
        let own = try decisions(policy) { $0.roots = .system }
        #expect(await own.answer(host: Testkit.host, isProxy: false, chain: path) == .use)

        policy = try kit.policy("self_signed", at: .leaf)
        policy.pins[1].at = .leaf
        policy.trust = .pinOnly
        let alone = try kit.chain("self_signed")
        let pinned = try decisions(policy) { $0.roots = .system }
        #expect(await pinned.answer(host: Testkit.host, isProxy: false, chain: alone) == .use)
        #expect(await pinned.answer(host: Testkit.host, isProxy: false, chain: path) == .refuse)

        // The system does not know the test root.
        let system = try decisions(kit.policy()) { $0.roots = .system }
        #expect(await system.answer(host: Testkit.host, isProxy: false, chain: path) == .refuse)
    }

    @Test("a proxy without an entry is the system's matter; one with an entry has to keep to it")
    func proxy() async throws {
        let path = try kit.chain("backend", "intermediate")
        let other = try kit.chain("interceptor", "other_root")
        let decisions = try decisions()
        #expect(
            await decisions.answer(host: "proxy.example.test", isProxy: true, chain: path)
                == .useIfTrusted)
        #expect(await decisions.answer(host: Testkit.host, isProxy: true, chain: path) == .use)
        #expect(await decisions.answer(host: Testkit.host, isProxy: true, chain: other) == .refuse)
        let pins = try PinSet(hosts: [kit.policy()], blockedSPKI: [kit.pin("backend")])
        let blocking = SessionDecisions(
            try PinnedClient(pins: pins, configuration: kit.configuration("backend")))
        #expect(
            await blocking.answer(host: "proxy.example.test", isProxy: true, chain: path)
                == .refuse)
    }

    @Test("an IPv6 address is the same with and without brackets")
    func address() async throws {
        var policy = try kit.policy()
        policy.host = "::1"
        let decisions = try decisions(policy)
        let path = try kit.chain("backend", "intermediate")
        for host in ["::1", "[::1]"] {
            #expect(await decisions.answer(host: host, isProxy: false, chain: path) == .use)
            let other = try kit.chain("interceptor", "other_root")
            #expect(await decisions.answer(host: host, isProxy: false, chain: other) == .refuse)
            let cause = decisions.cause(of: cancelled("https://[::1]:8443/"), at: nil)
            #expect((cause as? PinfoldError)?.certificate?.host == "::1")
        }
    }

    @Test("a host without an entry is allowed where the client allows it")
    func unpinned() async throws {
        let decisions = try decisions { $0.denyUnpinned = false }
        let path = try kit.chain("backend", "intermediate")
        #expect(
            await decisions.answer(host: "www.example.test", isProxy: false, chain: path) == .use)
        let untrusted = try kit.chain("impostor")
        #expect(
            await decisions.answer(host: "www.example.test", isProxy: false, chain: untrusted)
                == .refuse)
    }

    @Test("an error is explained where a refusal is behind it, until the host is allowed again")
    func causes() async throws {
        let decisions = try decisions()
        let other = try kit.chain("interceptor", "other_root")
        _ = await decisions.answer(host: Testkit.host, isProxy: false, chain: other)
        func code(_ error: any Error, at url: String? = nil) -> String? {
            let url = url.flatMap(URL.init(string:))
            return (decisions.cause(of: error, at: url) as? PinfoldError)?.code
        }
        let url = "https://api.example.test/v1"
        #expect(code(cancelled(url)) == "pin_mismatch")
        #expect(code(cancelled(url, .userCancelledAuthentication)) == "pin_mismatch")
        #expect(code(cancelled(nil), at: url) == "pin_mismatch")
        #expect(code(cancelled(nil)) == nil)
        #expect(code(cancelled("https://www.example.test/")) == nil)
        #expect(code(cancelled(url, .timedOut)) == nil)
        #expect(code(CancellationError(), at: url) == nil)
        let path = try kit.chain("backend", "intermediate")
        _ = await decisions.answer(host: Testkit.host, isProxy: false, chain: path)
        #expect(code(cancelled(url)) == nil)
        // Where the session names something else, what the task has asked for.
        _ = await decisions.answer(host: Testkit.host, isProxy: false, chain: other)
        #expect(code(cancelled("https://www.example.test/"), at: url) == "pin_mismatch")
        _ = await decisions.answer(host: Testkit.host, isProxy: false, chain: path)
        // However many hosts there are, the latest is among the few that are remembered.
        let hosts = (0..<200).map { "host\($0).example.test" }
        for host in hosts {
            _ = await decisions.answer(host: host, isProxy: false, chain: path)
            #expect(code(cancelled("https://\(host)/")) == "host_not_pinned")
        }
        #expect(hosts.filter { code(cancelled("https://\($0)/")) != nil }.count == 64)
    }

    @Test("a refusal explains no cancellation that comes later")
    func stale() async throws {
        let clock = Clock()
        let decisions = SessionDecisions(try kit.client(), now: { clock.now })
        let other = try kit.chain("interceptor", "other_root")
        _ = await decisions.answer(host: Testkit.host, isProxy: false, chain: other)
        let url = "https://api.example.test/v1"
        func code() -> String? {
            (decisions.cause(of: cancelled(url), at: nil) as? PinfoldError)?.code
        }
        #expect(code() == "pin_mismatch")
        clock.now += 29
        #expect(code() == "pin_mismatch")
        clock.now += 1
        #expect(code() == nil)
        // The user has set it back.
        clock.now -= 3600
        #expect(code() == nil)
    }

    final class Clock: @unchecked Sendable {
        var now = Date()
    }

    @Test("a proxy's refusal is behind the error for the server that it leads to")
    func proxyCause() async throws {
        let decisions = try decisions()
        let other = try kit.chain("interceptor", "other_root")
        _ = await decisions.answer(host: Testkit.host, isProxy: true, chain: other)
        func code() -> String? {
            let error = cancelled("https://www.example.test/")
            return (decisions.cause(of: error, at: nil) as? PinfoldError)?.code
        }
        #expect(code() == "pin_mismatch")
        let path = try kit.chain("backend", "intermediate")
        _ = await decisions.answer(host: Testkit.host, isProxy: true, chain: path)
        #expect(code() == nil)
    }

    @Test("one task's redirect does not explain that another was cancelled")
    func redirectCause() async throws {
        let decisions = try decisions()
        let url = "https://api.example.test/v1"
        _ = decisions.follows(
            from: URL(string: url), to: URL(string: "http://api.example.test/"), task: 1)
        func code(_ task: Int?) -> String? {
            (decisions.cause(of: cancelled(url), at: nil, task: task) as? PinfoldError)?.code
        }
        #expect(code(1) == "insecure_redirect")
        #expect(code(2) == nil)
        #expect(code(nil) == "insecure_redirect")
        // A good certificate of the host says nothing about the redirect.
        let path = try kit.chain("backend", "intermediate")
        _ = await decisions.answer(host: Testkit.host, isProxy: false, chain: path)
        #expect(code(1) == "insecure_redirect")
    }

    @Test("a redirect away from HTTPS is not followed, and is told")
    func redirects() throws {
        let decisions = try decisions()
        func follows(_ old: String?, _ new: String?) -> Bool {
            decisions.follows(
                from: old.flatMap(URL.init(string:)), to: new.flatMap(URL.init(string:)))
        }
        #expect(follows("https://api.example.test/", "https://www.example.test/"))
        #expect(follows("http://api.example.test/", "http://www.example.test/"))
        #expect(follows("https://a.example.test/", "HTTPS://www.example.test/"))
        for new in ["http://api.example.test/", "file:///etc/hosts", "//x", nil] {
            #expect(!follows("https://api.example.test/v1", new))
        }
        #expect(!follows("HTTPS://api.example.test/v1", "http://api.example.test/"))
        let cause = decisions.cause(of: cancelled("https://api.example.test/v1"), at: nil)
        #expect((cause as? PinfoldError)?.code == "insecure_redirect")
    }

    @Test("after a mismatch a newer pin set is looked for, once a minute")
    func renewal() async throws {
        let updater = try kit.updater(await kit.embedded(1, "backend"))
        try await kit.sign(2, "rotated")
        let decisions = SessionDecisions(try kit.client(of: updater))
        let path = try kit.chain("rotated", "intermediate")
        #expect(await decisions.answer(host: Testkit.host, isProxy: false, chain: path) == .use)
        #expect(updater.pins.version == 2)
        let other = try kit.chain("interceptor", "other_root")
        // That look asks its second URL, too.
        _ = try await kit.wait("rsa", for: "request", count: 2)
        let before = try await kit.fetches()
        try await kit.sign(3, "interceptor")
        #expect(await decisions.answer(host: Testkit.host, isProxy: false, chain: other) == .refuse)
        #expect(try await kit.fetches() == before)
    }

    @Test("what only reports is allowed, and told")
    func reportOnly() async throws {
        let logged = LogTests.Logged()
        let client = try PinnedClient(
            pins: PinSet(hosts: [kit.policy(mode: .reportOnly)]),
            configuration: kit.configuration("interceptor"), log: logged.log)
        let (decided, told) = AsyncStream<Explanation>.makeStream()
        let decisions = SessionDecisions(client) { told.yield($0) }
        let other = try kit.chain("interceptor", "other_root")
        #expect(await decisions.answer(host: Testkit.host, isProxy: false, chain: other) == .use)
        told.finish()
        var verdicts: [Explanation.Verdict] = []
        for await explanation in decided { verdicts.append(explanation.verdict) }
        #expect(verdicts == [.noMatch])
        #expect(logged.take().map(\.level) == [.info])
    }

    @Test("decisions are logged without anything of a request")
    func logged() async throws {
        let logged = LogTests.Logged()
        let client = try PinnedClient(
            pins: PinSet(hosts: [kit.policy()]), configuration: kit.configuration("backend"),
            log: logged.log)
        let decisions = SessionDecisions(client)
        let path = try kit.chain("backend", "intermediate")
        _ = await decisions.answer(host: Testkit.host, isProxy: false, chain: path)
        _ = decisions.follows(
            from: URL(string: "https://api.example.test/?a=s3cr3t"),
            to: URL(string: "http://api.example.test/s3cr3t"))
        let lines = logged.take()
        #expect(lines.map(\.text) == ["allowed, matched", "insecure_redirect"])
        #expect(lines.map(\.level) == [.debug, .error])
        #expect(lines.allSatisfy { $0.category == .sessions && !"\($0)".contains("s3cr3t") })
    }
}
