import Foundation
import Pinfold
import Testing

struct PinningTests {
    let kit: Testkit
    let url = "https://api.example.test/"

    init() async throws {
        kit = try await Testkit()
    }

    @Test(
        "a pin matches where it may and nowhere else",
        arguments: [
            ("backend", PinAt.leaf, PinAt.leaf), ("intermediate", .ca, .ca), ("root", .ca, .ca),
            ("intermediate", .any, .ca),
        ])
    func positions(key: String, at position: PinAt, found: PinAt) async throws {
        let response = try await kit.client("backend", kit.policy(key, at: position)).get(url)
        let pin = try kit.pin(key)
        #expect(
            response.pinning
                == .matched(rule: Testkit.host, pin: pin, at: found, state: .active))

        let wrong = try kit.policy(key, at: position == .leaf ? .ca : .leaf)
        let error = try await failure { try await kit.client("backend", wrong).get(url) }
        #expect(error.code == "pin_mismatch")
    }

    @Test("the state of the pin that matched is told")
    func states() async throws {
        var policy = try kit.policy("root", at: .ca)
        policy.pins[0].state = .retiring
        policy.pins[0].label = "of last year"
        let response = try await kit.client("backend", policy).get(url)
        let pin = try kit.pin("root")
        #expect(
            response.pinning == .matched(rule: Testkit.host, pin: pin, at: .ca, state: .retiring))
    }

    @Test("an interceptor that the device trusts is refused, with every fact about it")
    func interceptor() async throws {
        let client = try kit.client("interceptor")
        let error = try await failure {
            try await client.post("\(url)secret", body: Data("secret".utf8))
        }
        guard case .pinMismatch(let facts, let message) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(facts.host == Testkit.host)
        #expect(facts.rule == Testkit.host)
        #expect(try facts.presentedPin == kit.pin("interceptor"))
        #expect(try Set(facts.expectedPins) == [kit.pin("backend"), kit.pin("backup")])
        #expect(facts.subject?.contains("api.example.test") == true)
        #expect(facts.issuer?.contains("Interception Authority") == true)
        #expect(facts.pinSetVersion == 7)
        #expect(error.certificate == facts)
        #expect(error.host == Testkit.host)
        #expect(message.hasPrefix("the certificate of api.example.test matches no pin"))
        #expect(error.localizedDescription == message)
    }

    @Test("on a mismatch the server gets an alert and not a byte of the request")
    func nothingLeaks() async throws {
        let client = try kit.client("interceptor")
        _ = try await failure { try await client.post("\(url)secret", body: letters(100)) }
        let events = try await kit.wait("interceptor", for: "closed")
        #expect(
            events.filter { $0.event == "alert" }.map(\.description) == ["certificate_unknown"])
        #expect(events.filter { $0.event == "closed" }.map(\.application_bytes) == [0])
        #expect(!events.contains { $0.event == "request" })
    }

    @Test("a certificate pasted behind another one proves nothing")
    func pastedChain() async throws {
        let client = try kit.client("pasted", kit.policy("intermediate", at: .ca))
        #expect(try await failure { try await client.get(url) }.code == "pin_mismatch")
    }

    @Test("report-only lets the interceptor through and says so")
    func reportOnly() async throws {
        let client = try kit.client("interceptor", kit.policy(mode: .reportOnly))
        let response = try await client.get(url)
        #expect(response.text == "ok")
        guard case .reportOnly(.pinMismatch(let facts, _)) = response.pinning else {
            Issue.record("\(response.pinning)")
            return
        }
        #expect(try facts.presentedPin == kit.pin("interceptor"))
    }

    @Test("an entry that is off lets the interceptor through and says so")
    func off() async throws {
        let client = try kit.client("interceptor", kit.policy(mode: .off))
        #expect(try await client.get(url).pinning == .off(rule: Testkit.host))
    }

    @Test("an entry that has expired asks for trust alone and says so")
    func lapsed() async throws {
        var policy = try kit.policy()
        policy.expires = Date(timeIntervalSince1970: 1_000_000_000)
        let client = try kit.client("interceptor", policy)
        #expect(try await client.get(url).pinning == .lapsed(rule: Testkit.host))

        policy.expires = Date(timeIntervalSinceNow: 3600)
        let current = try kit.client("interceptor", policy)
        #expect(try await failure { try await current.get(url) }.code == "pin_mismatch")
    }

    @Test("a host without an entry is refused, or has trust alone where that is allowed")
    func notPinned() async throws {
        var policy = try kit.policy()
        policy.host = "other.example.test"
        let strict = try kit.client("interceptor", policy)
        let error = try await failure { try await strict.get(url) }
        guard case .hostNotPinned(host: Testkit.host, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(try await kit.events("interceptor").isEmpty)

        let lenient = try kit.client("interceptor", policy) { $0.denyUnpinned = false }
        #expect(try await lenient.get(url).pinning == .notPinned)
    }

    @Test("an entry covers the names below its host only if it says so")
    func subdomains() async throws {
        var policy = try kit.policy()
        policy.host = "example.test"
        let exact = try kit.client("backend", policy)
        #expect(try await failure { try await exact.get(url) }.code == "host_not_pinned")
        policy.includeSubdomains = true
        #expect(try await kit.client("backend", policy).get(url).text == "ok")
    }

    @Test("a blocked key is refused with its facts, whatever the mode and the pins")
    func blockedKey() async throws {
        for (key, mode) in [("backend", Mode.enforce), ("intermediate", .off), ("root", .off)] {
            let pins = try PinSet(
                hosts: [kit.policy(mode: mode)], version: 7, blockedSPKI: [kit.pin(key)])
            let configuration = try kit.configuration("backend")
            let client = try PinnedClient(pins: pins, configuration: configuration)
            let error = try await failure { try await client.post(url, body: letters(100)) }
            guard case .blockedKey(let facts, let message) = error else {
                Issue.record("\(key): \(error)")
                continue
            }
            #expect(facts.host == Testkit.host)
            #expect(try facts.presentedPin == kit.pin("backend"))
            #expect(facts.pinSetVersion == 7)
            #expect(facts.interception == nil)
            #expect(message.hasPrefix("a key of the certificate of api.example.test is blocked"))
        }
        let events = try await kit.wait("backend", for: "closed", count: 3)
        #expect(events.filter { $0.event == "closed" }.map(\.application_bytes) == [0, 0, 0])

        // Another authority vouches for the same intermediate.
        let pins = try PinSet(hosts: [kit.policy()], blockedSPKI: [kit.pin("root")])
        let cross = try PinnedClient(pins: pins, configuration: kit.configuration("cross"))
        #expect(try await cross.get(url).text == "ok")
    }

    @Test("a private authority is trusted where its entry says so, and nobody else is")
    func privateAuthority() async throws {
        var policy = try kit.policy("private")
        policy.trust = .privateCa
        policy.anchors = [try kit.certificate("private_root")]
        #expect(try await kit.client("private", policy).get(url).text == "ok")
        let public_ = try kit.client("backend", policy)
        #expect(
            try await failure { try await public_.get(url) }.code == "certificate_unknown_issuer")
    }

    @Test("a self-signed certificate can be pinned as such")
    func pinOnly() async throws {
        var policy = try kit.policy("self_signed", at: .leaf)
        policy.pins[1].at = .leaf
        policy.trust = .pinOnly
        #expect(try await kit.client("self_signed", policy).get(url).text == "ok")
        let other = try kit.client("self_signed_ca", policy)
        #expect(try await failure { try await other.get(url) }.code == "pin_mismatch")
    }

    @Test("a replaced pin set decides about the very next request, on the open connection too")
    func replacedPins() async throws {
        let client = try kit.client()
        #expect(try await client.get(url).text == "ok")
        try client.replacePins(PinSet(hosts: [kit.policy("rotated")]))
        #expect(try await failure { try await client.get(url) }.code == "pin_mismatch")
        try await kit.present("backend", "rotated")
        #expect(try await client.get(url).text == "ok")
    }

    @Test("a pin set in JSON does what the same one in code does")
    func json() async throws {
        let json = """
            {"schema": 1, "version": 9, "hosts": [{"host": "API.example.test", "pins": [
              {"sha256": "\(try kit.pin("backend").dropFirst(7))", "at": "leaf"},
              {"sha256": "\(try kit.pin("backup").dropFirst(7))", "state": "backup"}
            ]}]}
            """
        let pins = try PinSet(json: json)
        #expect(pins.version == 9)
        #expect(pins.hosts == [Testkit.host])
        #expect("\(pins)" == "pin set 9 of api.example.test")
        let client = try PinnedClient(pins: pins, configuration: kit.configuration("backend"))
        #expect(try await client.get(url).text == "ok")
        let other = try PinnedClient(pins: pins, configuration: kit.configuration("interceptor"))
        let error = try await failure { try await other.get(url) }
        #expect(error.certificate?.pinSetVersion == 9)
    }
}
