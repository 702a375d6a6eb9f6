import Foundation
import Testing

@testable import Pinfold

/// What goes to the system's log.
struct LogTests {
    let kit: Testkit
    let logged = Logged()

    init() async throws {
        kit = try await Testkit()
    }

    final class Logged: @unchecked Sendable {
        private let lock = NSLock()
        private var lines: [Log.Line] = []
        private var intervals: [String] = []

        var log: Log {
            Log(
                write: { line in self.lock.withLock { self.lines.append(line) } },
                begin: { method in
                    { outcome in
                        self.lock.withLock { self.intervals.append("\(method): \(outcome)") }
                    }
                })
        }

        func take() -> [Log.Line] {
            lock.withLock {
                defer { lines = [] }
                return lines
            }
        }

        var ended: [String] { lock.withLock { intervals } }
    }

    func client(_ server: String, _ policy: HostPolicy? = nil) throws -> PinnedClient {
        try PinnedClient(
            pins: PinSet(hosts: [policy ?? kit.policy()]),
            configuration: kit.configuration(server), log: logged.log)
    }

    @Test("a request is told by its outcome, and nothing of it or its answer is")
    func request() async throws {
        let secret = "s3cr3t"
        var request = Request(.post, "https://api.example.test/echo/\(secret)?token=\(secret)")
        request.headers = [
            Header("Authorization", secret), Header("X-\(secret)", secret, sensitive: true),
        ]
        request.body = Data(secret.utf8)
        let response = try await client("backend").send(request)
        let lines = logged.take()
        let text = "POST \(response.status), \(response.body.count) bytes, matched"
        #expect(
            lines == [
                Log.Line(
                    level: .debug, category: .requests, text: text, detail: Testkit.host)
            ])
        #expect(logged.ended == ["POST: \(text)"])

        // Nor of what cannot even be sent.
        for url in [
            "https://user:\(secret)@api.example.test/", "http://api.example.test/?q=\(secret)",
            "https://api.example.test:0/#\(secret)", "\(secret)",
        ] {
            request.url = url
            _ = try? await client("backend").send(request)
        }
        request.url = "https://api.example.test/"
        request.headers = [Header("X-A", "\(secret)\n")]
        _ = try? await client("backend").send(request)
        request.headers = []
        _ = try? await client("interceptor").send(request)
        let others = logged.take()
        #expect(others.count == 6)
        for line in others {
            #expect(!"\(line)".contains(secret), "\(line)")
        }
        #expect(!logged.ended.contains { $0.contains(secret) })
    }

    @Test("a refused certificate is an error; a network's trouble and a cancelled request are not")
    func failures() async throws {
        let url = "https://api.example.test/"
        _ = try? await client("interceptor").get(url)
        _ = try? await client("expired").get(url)
        _ = try? await client("backend").get("https://www.example.test/")
        _ = try? await client("close_on_accept").get(url)
        let hanging = try client("backend")
        let task = Task { try await hanging.get("\(url)hang") }
        _ = try await kit.wait("backend", for: "request")
        task.cancel()
        _ = try? await task.value
        let lines = logged.take()
        #expect(
            lines.map(\.text).prefix(3) == [
                "GET pin_mismatch", "GET certificate_expired", "GET host_not_pinned",
            ])
        #expect(lines.map(\.level) == [.error, .error, .error, .info, .debug])
        #expect(lines.last?.text == "GET cancelled")
        #expect(lines.allSatisfy { $0.category == .requests })
        #expect(logged.ended.count == 5)
    }

    @Test("what only reports is told where nobody asks for more")
    func reportOnly() async throws {
        _ = try await client("interceptor", kit.policy(mode: .reportOnly))
            .get("https://api.example.test/")
        let line = try #require(logged.take().first)
        #expect(line.level == .info)
        #expect(line.text == "GET 200, 2 bytes, report_only")
    }

    @Test("an updater's events are told, whether or not the app listens")
    func updates() async throws {
        let updater = try PinSetUpdater(
            embedded: await kit.embedded(1, "backend"), configuration: updates(), log: logged.log)
        try await kit.sign(2, "backend")
        _ = try await updater.refresh()
        #expect(
            logged.take() == [
                Log.Line(
                    level: .info, category: .updates,
                    text: "updated to root 1, epoch 0, pin set 2", detail: "")
            ])
        try await kit.publish(Data("{}".utf8))
        let error = try await updateError { try await updater.refresh() }
        let line = Log.Line(
            level: .error, category: .updates, text: "rejected: malformed", detail: error.message)
        #expect(Set(logged.take()) == [line])
    }

    @Test("every event has its line")
    func events() {
        let failed = PinSetUpdateError.rejected(.threshold, place: "pinset", message: "too few")
        let lines = [
            UpdateEvent.rejected(failed, url: "https://example.com/?token=1"),
            .unavailable(reason: "no answer"), .store(reason: "full"), .stale,
            .lapsed(host: nil), .inspected(host: "example.com", authority: "gateway"),
            .equivocation(url: "https://example.com/?token=1"),
            .staleMirror(url: "https://example.com/?token=1"),
        ].map { Log.Line($0) }
        #expect(lines.map(\.level) == [.error, .info, .error, .info, .error, .info, .error, .info])
        #expect(
            lines.map(\.text) == [
                "rejected: threshold", "unavailable", "store", "stale", "lapsed",
                "inspected by gateway", "equivocation", "stale mirror",
            ])
        #expect(
            lines.map(\.detail) == ["too few", "no answer", "full", "", "", "example.com", "", ""])
    }

    private func updates() throws -> PinSetUpdater.Configuration {
        var configuration = PinSetUpdater.Configuration()
        configuration.roots = .only([try kit.certificate("root")])
        configuration.connectTo = try ["www.example.test", "other.example.test"].map {
            ConnectTo(host: $0, address: try kit.address("rsa"))
        }
        return configuration
    }
}
