import Foundation
import Pinfold
import Testing

/// Sessions of a client, cookies, tokens, retries, and who finds addresses.
struct ClientSessionTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    static let url = "https://api.example.test"

    func answer(_ field: String) -> String {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\(field)\r\n\r\n"
        let hex = head.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return "\(Self.url)/hex/\(hex.joined())"
    }

    @Test("sessions share neither connections nor cookies")
    func isolation() async throws {
        let client = try kit.client { $0.cookies = CookieJar() }
        func session() throws -> PinnedClient {
            var configuration = PinnedClient.SessionConfiguration()
            configuration.cookies = CookieJar()
            return try client.session(configuration)
        }
        let (alice, bob, without) = (try session(), try session(), try client.session())
        for (who, name) in [(alice, "alice"), (bob, "bob"), (without, "nobody")] {
            _ = try await who.get(answer("Set-Cookie: id=\(name); Path=/"))
        }
        var (cookies, connections) = ([String?](), Set<Int>())
        for who in [alice, bob, without, client] {
            let echo = try Echo(await who.get("\(Self.url)/echo"))
            cookies.append(echo.header("cookie"))
            connections.insert(echo.connection)
        }
        #expect(cookies == ["id=alice", "id=bob", nil, nil])
        #expect(connections.count == 4)
        alice.close()
        let closed = try await failure { _ = try await alice.get("\(Self.url)/") }
        #expect(closed.code == "client_closed")
        _ = try await bob.get("\(Self.url)/")
        client.close()
        let all = try await failure { _ = try await bob.get("\(Self.url)/") }
        #expect(all.code == "client_closed")
        let none = try await failure { _ = try client.session() }
        #expect(none.code == "client_closed")
    }

    @Test("a jar outlives the process where servers say so, and shows what it holds")
    func jar() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("pinfold-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("cookies")
        let url = "\(Self.url)/"
        let jar = try CookieJar(file: file)
        #expect(try jar.set(url: url, field: "id=s3cret; Max-Age=60; Secure; HttpOnly"))
        #expect(try jar.set(url: url, field: "session=1"))
        #expect(try !jar.set(url: url, field: "other=1; Domain=other.test"))
        #expect(try jar.header(url: url) == "id=s3cret; session=1")
        #expect(try jar.header(url: "https://other.test/") == nil)
        try jar.save()
        let again = try CookieJar(file: file)
        let cookie = try #require(again.cookies.first)
        #expect(again.cookies.count == 1)
        #expect(
            [cookie.name, cookie.value, cookie.domain] == ["id", "s3cret", "api.example.test"])
        #expect(cookie.isHostOnly && cookie.isSecure && cookie.isHTTPOnly)
        #expect(cookie.expires != nil && cookie.path == "/")
        #expect(!"\(cookie) \(String(reflecting: cookie))".contains("s3cret"))
        let client = try kit.client { $0.cookies = again }
        #expect(try Echo(await client.get("\(Self.url)/echo")).header("cookie") == "id=s3cret")
        try again.clear()
        #expect(try CookieJar(file: file).cookies.isEmpty)
        let nowhere = try await failure { _ = try jar.header(url: "nowhere") }
        #expect(nowhere.code == "invalid_url")
        let unreadable = try await failure { _ = try CookieJar(file: folder) }
        #expect(unreadable.place == "cookies")
    }

    actor Counter {
        var asked = 0

        func next() -> Int {
            asked += 1
            return asked
        }
    }

    @Test("many calls that are refused at once ask for one token")
    func tokens() async throws {
        let counter = Counter()
        let client = try kit.client {
            $0.baseURL = "\(Self.url)/"
            $0.authenticator = Authenticator { refused in
                let number = await counter.next()
                return (refused == nil) == (number == 1) ? "Bearer \(number)" : nil
            }
        }
        #expect(try await client.get("guarded/1").status == 200)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<16 { group.addTask { try await client.get("guarded/2").status } }
            for try await status in group { #expect(status == 200) }
        }
        #expect(await counter.asked == 2)
    }

    struct Secret: Error { let text = "s3cret" }

    @Test("whatever an authenticator throws is an error of the call, and nothing is the answer")
    func failingTokens() async throws {
        let counter = Counter()
        let client = try kit.client {
            $0.baseURL = "\(Self.url)/"
            $0.authenticator = Authenticator { _ in
                switch await counter.next() {
                case 1: throw Secret()
                case 2: "Bearer\nX: s3cret"
                default: nil
                }
            }
        }
        for _ in 0..<2 {
            let error = try await failure { _ = try await client.get("guarded/1") }
            #expect(error.code == "io_failed" && error.place == "authenticator")
            #expect(!error.message.contains("s3cret"))
        }
        #expect(try await client.get("guarded/1").status == 401)
        let toWhom = try await failure {
            _ = try kit.client { $0.authenticator = Authenticator { _ in nil } }
        }
        #expect(toWhom.place == "authenticator")
    }

    @Test("what failed for a moment is sent again where that is safe")
    func retries() async throws {
        let client = try kit.client { $0.retries = 2 }
        let path = "\(Self.url)/in-turn/503,200?fields=Retry-After:0"
        #expect(try await client.get(path).status == 200)
        let post = "\(Self.url)/in-turn/503,200?post"
        #expect(try await client.post(post, body: Data("pay".utf8)).status == 503)
    }

    @Test("a listener is told what happens to each call")
    func listener() async throws {
        let (events, sink) = AsyncStream.makeStream(of: CallEvent.self)
        let client = try kit.client {
            $0.retries = 1
            $0.listener = CallListener { sink.yield($0) }
        }
        _ = try await client.get("\(Self.url)/in-turn/503,200?fields=Retry-After:0")
        sink.finish()
        var told: [String] = []
        for await event in events {
            switch event {
            case .begun(_, let host, let method): told.append("\(method) \(host)")
            case .connected(_, _, let isReused): told.append("connected \(isReused)")
            case .retried(_, _, let before, _, let cause): told.append("retried \(before) \(cause)")
            case .answered(_, _, let status, _): told.append("\(status)")
            default: told.append("\(event)")
            }
        }
        let expected = [
            "GET api.example.test", "connected false", "retried 0 503", "connected true", "200",
        ]
        #expect(told == expected)
    }

    @Test("each phase has a time of its own")
    func phases() async throws {
        let first = try kit.client { $0.firstByteTimeout = 0.1 }
        let error = try await failure { _ = try await first.get("\(Self.url)/hang") }
        #expect(error.code == "timeout_first_byte")
        let wrong: [(String, @Sendable (inout PinnedClient.Configuration) -> Void)] = [
            ("queue_timeout", { $0.queueTimeout = 1e6 }),
            ("lookup_timeout", { $0.lookupTimeout = .nan }),
            ("tls_timeout", { $0.tlsTimeout = -1 }),
            ("first_byte_timeout", { $0.firstByteTimeout = .infinity }),
            ("retries", { $0.retries = 21 }),
            ("retries", { $0.retries = -1 }),
        ]
        for (place, configure) in wrong {
            let error = try await failure { _ = try kit.client(configure: configure) }
            #expect(error.place == place)
        }
    }

    @Test("a resolver of the app is asked, and whatever it throws is no address")
    func resolver() async throws {
        let address = try kit.address("backend")
        let port = try #require(address.split(separator: ":").last)
        let url = "https://api.example.test:\(port)/"
        func client(_ resolver: Resolver) throws -> PinnedClient {
            try kit.client {
                $0.connectTo = []
                $0.resolver = resolver
                // A busy machine has all of Swift's threads elsewhere for a while.
                ($0.connectTimeout, $0.timeout) = (60, 60)
            }
        }
        let good = try client(Resolver { $0 == "api.example.test" ? ["127.0.0.1"] : [] })
        try await good.preconnect(url)
        #expect(try await good.get(url).status == 200)
        let other = try await failure { try await good.preconnect("https://elsewhere.test/") }
        #expect(other.code == "host_not_pinned")
        for resolver in [
            Resolver { _ in [] }, Resolver { _ in ["nowhere"] }, Resolver { _ in throw Secret() },
        ] {
            let error = try await failure { _ = try await client(resolver).get(url) }
            // Where there is no network at all, that is the reason.
            #expect(["dns_failed", "offline"].contains(error.code))
            #expect(!error.message.contains("s3cret"))
        }
    }
}
