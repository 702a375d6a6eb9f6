import Foundation
import Testing

@testable import Pinfold

/// An organisation's own interceptor passes only where the signed pin set and the device's
/// management both name it, and it is always told.
struct InspectionTests {
    static let id = "acme-2026"
    static let key = "inspection_authority_id"

    let kit: Testkit
    let url = "https://api.example.test/"

    init() async throws {
        kit = try await Testkit()
    }

    /// What the device's management says; it can change at any time.
    final class Management: @unchecked Sendable {
        private let lock = NSLock()
        private var id: String?

        func set(_ id: String?) {
            lock.withLock { self.id = id }
        }

        @Sendable
        func value(_ key: String) -> String? {
            lock.withLock { key == InspectionTests.key ? id : nil }
        }
    }

    /// An updater whose pin set lets one authority inspect.
    func updater(configure: (inout PinSetUpdater.Configuration) -> Void) async throws
        -> PinSetUpdater
    {
        let authority: [String: Any] = [
            "id": Self.id, "spki_sha256": String(try kit.pin("other_root").dropFirst(7)),
            "mode": "allow", "hosts": [Testkit.host],
            "not_before": Testkit.time(days: -1), "not_after": Testkit.time(days: 30),
            "require": ["managed_config": true, "managed_config_key": Self.key],
        ]
        let edits = ["inspection_authorities": [authority]]
        let updater = try kit.updater(
            await kit.embedded(1, "backend", edits), configure: configure)
        try await kit.sign(2, "backend", edits)
        #expect(try await updater.refresh() == .updated)
        return updater
    }

    @Test("what owner and management both name passes, and is told once")
    func consent() async throws {
        let told = Told()
        let updater = try await updater {
            $0.managedConfiguration = { $0 == Self.key ? Self.id : nil }
            $0.onEvent = told.add
        }
        _ = told.take()
        let client = try kit.client(of: updater, "interceptor")
        for _ in 0..<2 {
            guard
                case .inspected(let rule, Self.id, .pinMismatch(let facts, _)) =
                    try await client.get(url).pinning
            else {
                Issue.record("not inspected")
                return
            }
            #expect(rule == Testkit.host)
            #expect(try facts.presentedPin == kit.pin("interceptor"))
            #expect(facts.interception != nil, "who it is, is told as ever")
        }
        #expect(told.take() == [.inspected(host: Testkit.host, authority: Self.id)])

        let chain = try kit.chain("interceptor")
        let explained = try await client.explain(host: Testkit.host, chain: chain)
        #expect(explained.verdict == .inspected)
        #expect(explained.isAllowed)
        #expect(explained.error == nil)
    }

    @Test("without the management's word it is a mismatch, also when it is withdrawn")
    func withdrawn() async throws {
        let management = Management()
        let client = try kit.client(
            of: await updater { $0.managedConfiguration = management.value }, "interceptor")
        for (id, code) in [
            (nil, "pin_mismatch"), ("acme-2025", "pin_mismatch"), (Self.id, nil),
            (nil, "pin_mismatch"),
        ] as [(String?, String?)] {
            management.set(id)
            // No session of before is resumed without asking.
            try await kit.dropConnections("interceptor")
            do {
                _ = try await client.get(url)
                #expect(code == nil)
            } catch let error as PinfoldError {
                #expect(error.code == code, "\(id ?? "none")")
            }
        }

        let unmanaged = try kit.client(of: await updater { _ in }, "interceptor")
        #expect(try await failure { try await unmanaged.get(url) }.code == "pin_mismatch")
    }

    @Test("the management's word is a text of the managed app configuration, and nothing else")
    func managedAppConfiguration() throws {
        let suite = "dev.pinfold.tests.\(UUID().uuidString)"
        let defaults = try #require(UserDefaults(suiteName: suite))
        defer { defaults.removePersistentDomain(forName: suite) }
        func value(_ key: String = Self.key) -> String? {
            PinSetUpdater.managedAppConfiguration(key, in: defaults)
        }
        #expect(value() == nil)
        // Where the app's own settings are, nobody but the app has put it.
        defaults.set(Self.id, forKey: Self.key)
        #expect(value() == nil)
        let domain = "com.apple.configuration.managed"
        defaults.set([Self.key: Self.id, "number": 7], forKey: domain)
        #expect(value() == Self.id)
        #expect(value("number") == nil)
        #expect(value("other") == nil)
        defaults.set("no dictionary", forKey: domain)
        #expect(value() == nil)
        // This process is not managed.
        #expect(PinSetUpdater.managedAppConfiguration(Self.key) == nil)
    }
}
