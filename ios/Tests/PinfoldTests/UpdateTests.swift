import Foundation
import Pinfold
import Testing

/// Signed pin sets over the air, in running clients.
struct UpdateTests {
    let kit: Testkit
    let url = "https://api.example.test/"

    init() async throws {
        kit = try await Testkit()
    }

    /// An updater for which it is not time to look: what follows fetches only for its own reasons.
    func current() async throws -> PinSetUpdater {
        let updater = try kit.updater(await kit.embedded(1, "backend"))
        try await kit.sign(2, "backend")
        #expect(try await updater.refresh() == .updated)
        return updater
    }

    @Test("a rotated key heals within one request, whose body goes out once")
    func rotation() async throws {
        let updater = try await current()
        #expect(try await kit.client(of: updater).get(url).text == "ok")
        try await kit.sign(3, "rotated")
        try await kit.present("backend", "rotated")
        try await kit.dropConnections("backend")

        let old = try kit.client()
        #expect(try await failure { try await old.get(url) }.code == "pin_mismatch")
        // One that has no session to resume.
        let response = try await kit.client(of: updater).post("\(url)echo", body: letters(1000))
        #expect(try Echo(response).body_base64 == letters(1000))
        let pin = try kit.pin("rotated")
        #expect(
            response.pinning
                == .matched(rule: Testkit.host, pin: pin, at: .leaf, state: .active))
        #expect(updater.status.order.pinSet == 3)
        #expect(updater.pins.version == 3)
        #expect(try await kit.events("backend").filter { $0.method == "POST" }.count == 1)
    }

    @Test("a mismatch stays one where there is no newer pin set, and costs a fetch a minute")
    func mismatch() async throws {
        let client = try kit.client(of: await current(), "interceptor")
        try await kit.clear("rsa")
        for _ in 0..<3 {
            let error = try await failure { try await client.post(url, body: letters(100)) }
            #expect(error.code == "pin_mismatch")
            #expect(error.certificate?.pinSetVersion == 2)
        }
        // One look, which asks each of its two URLs at most once.
        #expect(try await (1...2).contains(kit.fetches()))
        let events = try await kit.wait("interceptor", for: "closed", count: 3)
        #expect(events.allSatisfy { $0.event != "request" })
    }

    @Test("a thousand mismatches at once make one look, and all of them heal")
    func thousand() async throws {
        let updater = try await current()
        try await kit.clear("rsa")
        try await kit.sign(3, "deep")
        // On a busy machine so many handshakes take time.
        let count = 1000
        let client = try kit.client(of: updater, "deep") {
            $0.connectTimeout = 120
            $0.timeout = 120
        }
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<count {
                group.addTask { try await client.get(url).status }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses == Array(repeating: 200, count: count))
        // One look, which asks each of its two URLs at most once.
        #expect(try await (1...2).contains(kit.fetches()))
    }

    @Test("a withdrawn pin dies in a running client although its TLS ticket is still good")
    func withdrawn() async throws {
        let updater = try await current()
        let client = try kit.client(of: updater)
        #expect(try await !Echo(client.get("\(url)echo")).resumed)
        try await kit.dropConnections("backend")
        #expect(try await Echo(client.get("\(url)echo")).resumed, "the ticket is good")

        try await kit.sign(3, "rotated")
        #expect(try await updater.refresh() == .updated)
        #expect(try await failure { try await client.get(url) }.code == "pin_mismatch")
        try await kit.dropConnections("backend")
        #expect(try await failure { try await client.get(url) }.code == "pin_mismatch")
    }

    @Test(
        "a request in flight ends with its pin where the client wants it",
        arguments: [(true, "pin_mismatch"), (false, "connection_lost")])
    func inFlight(abort: Bool, code: String) async throws {
        let updater = try await current()
        let client = try kit.client(of: updater) { $0.abortWithdrawn = abort }
        async let hanging = failure { try await client.get("\(url)hang") }
        _ = try await kit.wait("backend", for: "request")
        try await kit.sign(3, "rotated")
        #expect(try await updater.refresh() == .updated)
        // Otherwise it goes on until its server ends it.
        if !abort { try await kit.dropConnections("backend") }
        #expect(try await hanging.code == code)
        // It may have been answered, so it is not sent again.
        #expect(try await kit.events("backend").filter { $0.event == "request" }.count == 1)
    }

    @Test("what was fetched outlives the process, and the app wins when it is newer")
    func restart() async throws {
        let folder = Folder()
        func start(_ embedded: Data) throws -> PinSetUpdater {
            try kit.updater(embedded) { $0.directory = folder.url }
        }
        let embedded = try await kit.embedded(1, "backend")
        let first = try start(embedded)
        try await kit.sign(4, "rotated")
        #expect(try await first.refresh() == .updated)

        try await kit.clear("rsa")
        let second = try start(embedded)
        #expect(second.status.order == first.status.order)
        #expect(second.status.checked == first.status.checked)
        #expect(try await second.refreshIfDue() == nil)
        #expect(try await kit.client(of: second, "rotated").get(url).text == "ok")
        #expect(try await kit.fetches() == 0)

        #expect(try await start(kit.embedded(9, "backend")).status.order.pinSet == 9)
        // A store that is damaged is none.
        try Data("rubbish".utf8).write(to: folder.url.appendingPathComponent("pinset"))
        try? FileManager.default.removeItem(
            at: folder.url.appendingPathComponent("pinset.previous"))
        #expect(try start(embedded).status.order.pinSet == 1)
    }

    @Test("another process of the app sees what this one has stored")
    func processes() async throws {
        let folder = Folder()
        let embedded = try await kit.embedded(1, "backend")
        let one = try kit.updater(embedded) { $0.directory = folder.url }
        let other = try kit.updater(embedded) { $0.directory = folder.url }
        try await kit.sign(2, "backend")
        #expect(try await one.refresh() == .updated)
        #expect(try await other.refresh() == .updated)
        let client = try kit.client(of: other, "rotated")
        try await kit.sign(3, "rotated")
        #expect(try await one.refresh() == .updated)
        #expect(try await other.refreshIfDue() == nil, "it is not time for a fetch")
        #expect(other.status.order == one.status.order)
        #expect(try await client.get(url).text == "ok")
    }

    @Test("old, forged and other documents change nothing and are told")
    func rejected() async throws {
        let told = Told()
        let updater = try kit.updater(await kit.embedded(5, "backend")) { $0.onEvent = told.add }
        let foreign = try await Testkit().embedded(6, "rotated")
        let cases: [(PinSetUpdateError.Cause, () async throws -> Void)] = [
            (.rollback, { try await kit.sign(4, "rotated") }),
            (.equivocation, { try await kit.sign(5, "rotated") }),
            (.threshold, { try await kit.publish(bundle(of: foreign)) }),
            (.malformed, { try await kit.publish(Data("<html>log in first</html>".utf8)) }),
            (.tooLarge, { try await kit.publish(Data(repeating: 0x20, count: 257 << 10)) }),
            (.audience, { try await kit.sign(6, "rotated", ["aud": ["other"]]) }),
            (.unsupported, { try await kit.sign(6, "rotated", ["crit": ["new"]]) }),
        ]
        for (cause, publish) in cases {
            try await publish()
            let error = try await updateError { try await updater.refresh() }
            #expect(updater.status.lastError == error)
            #expect(updater.status.order.pinSet == 5)
            // What is too large is not even read.
            if case .unavailable(let message) = error, cause == .tooLarge {
                #expect(told.take() == [.unavailable(reason: reason(message))])
                continue
            }
            guard case .rejected(cause, let place, let message) = error else {
                Issue.record("\(cause): \(error)")
                continue
            }
            #expect(!place.isEmpty && error.place == place)
            #expect(error.code == cause.rawValue)
            #expect(message.hasPrefix("the pin set was refused: \(error.code): \(place): "))
            // Both mirrors were asked, beginning with either.
            let urls = ["www", "other"].map { "https://\($0).example.test/bundle.json" }
            let events: [UpdateEvent] = urls.map {
                switch cause {
                case .rollback: .staleMirror(url: $0)
                case .equivocation: .equivocation(url: $0)
                default: .rejected(error, url: $0)
                }
            }
            #expect(Set(told.take()) == Set(events))
        }
        try await kit.sign(6, "rotated")
        #expect(try await updater.refresh() == .updated)
        #expect(try await updater.refresh() == .unchanged)
        #expect(updater.status.lastError == nil)
        #expect(told.take() == [.updated(updater.status.order)])
    }

    @Test("a server that has nothing is told and asked again soon")
    func unavailable() async throws {
        let told = Told()
        let updater = try kit.updater(await kit.embedded(1, "backend")) { $0.onEvent = told.add }
        let error = try await updateError { try await updater.refreshIfDue() }
        #expect(error.code == "unavailable")
        #expect(error.place == nil)
        #expect(error.message.contains("404"))
        #expect(told.take() == [.unavailable(reason: reason(error.message))])
        #expect(updater.status.lastError == error)
        #expect((0...60).contains(updater.status.nextDue))
    }

    @Test("an updater that nobody holds any more lets go of what the app has given it")
    func released() async throws {
        final class Screen: Sendable {}
        weak var held: Screen?
        do {
            let screen = Screen()
            held = screen
            let updater = try kit.updater(await kit.embedded(1, "backend")) {
                $0.onEvent = { _ in _ = screen }
                $0.managedConfiguration = { _ in "\(screen)" }
            }
            try await kit.sign(2, "rotated")
            #expect(try await updater.refresh() == .updated)
            #expect(try await kit.client(of: updater, "rotated").get(url).text == "ok")
        }
        #expect(held == nil)
    }

    /// What the event of an unavailable document says of it.
    func reason(_ message: String) -> String {
        message.replacingOccurrences(of: "no pin set could be fetched: ", with: "")
    }

    /// What a server would offer of what an app is built with.
    func bundle(of embedded: Data) throws -> Data {
        let members = try JSONSerialization.jsonObject(with: embedded) as? [String: Any]
        let bundle: [String: Any] = [
            "bundle": 1, "roots": [Any](), "pinset": try #require(members?["pinset"]),
        ]
        return try JSONSerialization.data(withJSONObject: bundle)
    }
}
