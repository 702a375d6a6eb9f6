import Foundation
import Pinfold
import Testing

/// Pin sets that are wrong: always a typed error that names the place, never a trap.
struct PinSetInputTests {
    static let pins = [
        Pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI="),
        Pin("sha256/P8TNKwpRMWUeT8m9bVAlTBDjCRKjLNw1RuO1pB4rDBE=", state: .backup),
    ]

    static let documents = [
        Wrong("", "document"),
        Wrong("{", ""),
        Wrong("[]", "document"),
        Wrong("null", "document"),
        Wrong("\u{feff}{}", "document"),
        Wrong(#"{"schema": 1, "hosts": []} x"#, "document"),
        Wrong(#"{"schema": 1, "hosts": [{"host": "a.example", "pin": []}]}"#, "hosts[0].pin"),
        Wrong(#"{"schema": 1, "hosts": [{"host": 7}]}"#, "hosts[0].host"),
        Wrong("{\"a\": \"\0\"}", "a"),
        Wrong(huge, "document"),
    ]

    @Test("a malformed document is refused with the place", arguments: documents)
    func malformed(wrong: Wrong<String>) async throws {
        let error = try await failure { try PinSet(json: wrong.value) }
        guard case .invalidPinSet(let place, let message) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(place.hasPrefix(wrong.place), "\(message)")
        #expect(message.hasPrefix("pin set, \(place): "))
    }

    @Test("a document that is not UTF-8 is refused")
    func notUtf8() async throws {
        let error = try await failure { try PinSet(json: Data([0x22, 0xff, 0xfe, 0x22])) }
        #expect(error.code == "invalid_pin_set")
    }

    static let policies = [
        Wrong(HostPolicy(host: "", pins: pins), "hosts[0].host"),
        Wrong(HostPolicy(host: "a b", pins: pins), "hosts[0].host"),
        Wrong(HostPolicy(host: "a\0.example", pins: pins), "hosts[0].host"),
        Wrong(HostPolicy(host: huge, pins: pins), "hosts[0].host"),
        Wrong(HostPolicy(host: "com", includeSubdomains: true, pins: pins), "hosts[0].host"),
        Wrong(HostPolicy(host: "a.example", pins: []), "hosts[0].pins"),
        Wrong(HostPolicy(host: "a.example", pins: [pins[0]]), "hosts[0].pins"),
        Wrong(HostPolicy(host: "a.example", pins: [pins[0], pins[0]]), "hosts[0].pins[1]"),
        Wrong(HostPolicy(host: "a.example", pins: [pins[0], Pin("")]), "hosts[0].pins[1].sha256"),
        Wrong(
            HostPolicy(host: "a.example", pins: [pins[0], Pin("sha1/AAAA")]),
            "hosts[0].pins[1].sha256"
        ),
        Wrong(
            HostPolicy(host: "a.example", pins: [pins[0], Pin("cert-sha256/AAAA")]),
            "hosts[0].pins[1].cert_sha256"
        ),
        Wrong(
            HostPolicy(host: "a.example", pins: [pins[0], Pin(huge)]),
            "hosts[0].pins[1].sha256"
        ),
        Wrong(
            HostPolicy(
                host: "a.example",
                pins: [pins[0], Pin(pins[1].text, certificate: Data([1]))]
            ),
            "hosts[0].pins[1].cert"
        ),
        Wrong(HostPolicy(host: "a.example", pins: pins, trust: .privateCa), "hosts[0].anchors"),
        Wrong(
            HostPolicy(host: "a.example", pins: pins, trust: .privateCa, anchors: [Data()]),
            "hosts[0].anchors[0]"
        ),
        Wrong(HostPolicy(host: "a.example", pins: pins, expires: .distantPast), "hosts[0].expires"),
    ]

    @Test("a wrong entry is refused with the place", arguments: policies)
    func entries(wrong: Wrong<HostPolicy>) async throws {
        let error = try await failure { try PinSet(hosts: [wrong.value]) }
        #expect(error.code == "invalid_pin_set")
        #expect(error.place == wrong.place, "\(error.message.prefix(300))")
        #expect(error.message.utf8.count < 1000)
    }

    @Test("a date that is none is refused", arguments: [TimeInterval.nan, .infinity, -1, 1e300])
    func wrongDate(seconds: TimeInterval) async throws {
        let expires = Date(timeIntervalSince1970: seconds)
        let policy = HostPolicy(host: "a.example", pins: Self.pins, expires: expires)
        let error = try await failure { try PinSet(hosts: [policy]) }
        #expect(error.code == "invalid_pin_set")
        #expect(error.place == "hosts[0].expires")
    }

    @Test(
        "any date of four-digit years is one to expire at",
        arguments: [0, 0.9, 1e9, 253_402_300_799])
    func rightDate(seconds: TimeInterval) throws {
        let expires = Date(timeIntervalSince1970: seconds)
        let policy = HostPolicy(host: "a.example", pins: Self.pins, expires: expires)
        #expect(try PinSet(hosts: [policy]).hosts == ["a.example"])
    }

    @Test("a host has one entry at most, however it is written")
    func twice() async throws {
        let policies = ["a.example", "A.EXAMPLE."].map { HostPolicy(host: $0, pins: Self.pins) }
        let error = try await failure { try PinSet(hosts: policies) }
        #expect(error.place == "hosts[1].host")
    }

    static let key = "KwccWaCgrnaw6tsrrSO61FgLacNgG2MMLq8GE6+oP5I="
    static let blocked = [
        "", "sha1/AAAA", "sha256/AAAA", key, "cert-sha256/" + key, "sha256/" + key, huge,
    ].map { Wrong($0, "blocked_spki[1]") }

    @Test("a blocked key that is none, or is there twice, is refused", arguments: blocked)
    func wrongBlocked(wrong: Wrong<String>) async throws {
        let policy = HostPolicy(host: "a.example", pins: Self.pins)
        let keys = ["sha256/" + Self.key, wrong.value]
        let error = try await failure { try PinSet(hosts: [policy], blockedSPKI: keys) }
        #expect(error.code == "invalid_pin_set")
        #expect(error.place == wrong.place, "\(error.message.prefix(300))")
        #expect(error.message.utf8.count < 1000)
    }

    @Test("version and hosts are those that were given")
    func members() throws {
        let policies = ["B.example", "a.example"].map { HostPolicy(host: $0, pins: Self.pins) }
        let pins = try PinSet(hosts: policies, version: 1 << 52)
        #expect(pins.version == 1 << 52)
        #expect(pins.hosts == ["b.example", "a.example"])
        #expect(try PinSet(hosts: policies).version == nil)
    }

    @Test("a version that JSON cannot hold is refused", arguments: [0, 1 << 53, UInt64.max])
    func wrongVersion(version: UInt64) async throws {
        let policy = HostPolicy(host: "a.example", pins: Self.pins)
        let error = try await failure { try PinSet(hosts: [policy], version: version) }
        #expect(error.place == "version")
    }
}
