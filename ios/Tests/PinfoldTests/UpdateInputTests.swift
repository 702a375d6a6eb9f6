import Foundation
import Pinfold
import Testing

/// What an updater is built with that is wrong: a typed error that names the place, never a trap.
struct UpdateInputTests {
    static let documents = [
        Wrong(Data(), "embedded, "),
        Wrong(Data("{".utf8), "embedded, "),
        Wrong(Data("[]".utf8), "embedded, "),
        Wrong(Data("null".utf8), "embedded, "),
        Wrong(Data([0x22, 0xff, 0xfe, 0x22]), "embedded, "),
        Wrong(Data(#"{"embedded": 1}"#.utf8), "embedded, "),
        Wrong(Data(#"{"embedded": 2}"#.utf8), "embedded, "),
        Wrong(Data(#"{"schema": 1, "hosts": []}"#.utf8), "embedded, "),
        Wrong(Data(huge.utf8), "embedded, "),
    ]

    @Test("embedded documents that are none are refused with the place", arguments: documents)
    func embedded(wrong: Wrong<Data>) async throws {
        let error = try await failure { try PinSetUpdater(embedded: wrong.value) }
        guard case .invalidPinSet(let place, let message) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(place.hasPrefix(wrong.place), "\(error)")
        #expect(message.hasPrefix("pin set, \(place): "))
        #expect(message.utf8.count < 1000)
    }

    @Test("embedded documents of two owners do not go together")
    func owners() async throws {
        func members(_ embedded: Data) throws -> [String: Any] {
            let object = try JSONSerialization.jsonObject(with: embedded)
            return try #require(object as? [String: Any])
        }
        var mixed = try members(await Testkit().embedded(1, "backend"))
        mixed["pinset"] = try members(await Testkit().embedded(1, "backend"))["pinset"]
        let json = try JSONSerialization.data(withJSONObject: mixed)
        let error = try await failure { try PinSetUpdater(embedded: json) }
        #expect(error.code == "invalid_pin_set")
        #expect(error.place == "embedded, pinset.signatures", "\(error)")
        #expect(error.message.contains("threshold"))
    }

    typealias Change = @Sendable (inout PinSetUpdater.Configuration) -> Void

    static let changes: [Wrong<Change>] = [
        Wrong({ $0.directory = URL(string: "https://a.b/c") }, "directory"),
        Wrong({ $0.connectTo = [ConnectTo(host: "", address: "127.0.0.1:1")] }, "connect_to"),
        Wrong({ $0.connectTo = [ConnectTo(host: "a.b", address: "a.b:1")] }, "connect_to[0]"),
        Wrong({ $0.connectTo = [ConnectTo(host: "a.b", address: huge)] }, "connect_to[0]"),
        Wrong({ $0.roots = .only([Data("certificate".utf8)]) }, "roots[0]"),
    ]

    @Test("a setting that cannot be is refused with its name", arguments: changes)
    func setting(wrong: Wrong<Change>) async throws {
        let kit = try await Testkit()
        let embedded = try await kit.embedded(1, "backend")
        let error = try await failure { try kit.updater(embedded, configure: wrong.value) }
        let isRoot = wrong.place.hasPrefix("roots")
        #expect(error.code == (isRoot ? "invalid_certificate" : "invalid_config"))
        #expect(error.place == wrong.place, "\(error)")
        #expect(error.message.utf8.count < 1000)
    }

    @Test("a client of an updater has its settings checked like any other")
    func client() async throws {
        let kit = try await Testkit()
        let updater = try kit.updater(await kit.embedded(1, "backend"))
        let error = try await failure { try kit.client(of: updater) { $0.timeout = 0 } }
        #expect(error.place == "timeout")
    }

    @Test("a folder that cannot be used costs the memory, is told, and nothing else")
    func directory() async throws {
        let kit = try await Testkit()
        let folder = Folder()
        try Data("a file".utf8).write(to: folder.url)
        let told = Told()
        let updater = try kit.updater(await kit.embedded(1, "backend")) {
            $0.directory = folder.url
            $0.onEvent = told.add
        }
        try await kit.sign(2, "rotated")
        #expect(try await updater.refresh() == .updated)
        #expect(updater.status.lastError == nil)
        let client = try kit.client(of: updater, "rotated")
        #expect(try await client.get("https://api.example.test/").text == "ok")
        let events = told.take()
        #expect(events.filter { $0 == .updated(updater.status.order) }.count == 1)
        guard case .store(let reason)? = events.last else {
            Issue.record("\(events)")
            return
        }
        #expect(reason.contains("directory"))
        #expect(try Data(contentsOf: folder.url) == Data("a file".utf8))
    }
}
