import Foundation
import Pinfold
import Testing

/// Requests and settings that are wrong: always a typed error that names the place, never a trap.
struct RequestInputTests {
    /// Nothing here gets as far as a server.
    func client(
        configure: (inout PinnedClient.Configuration) -> Void = { _ in }
    ) throws -> PinnedClient {
        var configuration = PinnedClient.Configuration()
        configuration.roots = .bundled
        configuration.connectTo = [ConnectTo(host: "api.example.com", address: "127.0.0.1:1")]
        configure(&configuration)
        let policy = HostPolicy(host: "api.example.com", pins: PinSetInputTests.pins)
        return try PinnedClient(pins: PinSet(hosts: [policy]), configuration: configuration)
    }

    static let urls = [
        Wrong("", ""),
        Wrong("/", "/"),
        Wrong("api.example.com", "api.example.com"),
        Wrong("http://api.example.com/?s3cret", "http://api.example.com/"),
        Wrong("https://user:s3cret@api.example.com/", "https://api.example.com/"),
        Wrong("https://api.example.com:0/", "https://api.example.com:0/"),
        Wrong("https://api.example.com:65536/", "https://api.example.com:65536/"),
        Wrong("https://api example.com/", "https://api example.com/"),
        Wrong("https://a\0b/", "https://a\0b/"),
        Wrong("https://api.example.com/?\r\nX: s3cret", "https://api.example.com/"),
        Wrong("https://\u{202e}/", "https://\u{202e}/"),
        Wrong("file:///etc/passwd", "file:///etc/passwd"),
        Wrong("https://a/" + huge, "https://a/" + huge.prefix(90)),
    ]

    @Test("a URL that cannot be requested is refused, and its secrets not shown", arguments: urls)
    func wrongUrl(wrong: Wrong<String>) async throws {
        let error = try await failure { try await client().get(wrong.value) }
        guard case .invalidURL(let url, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(url == wrong.place)
        #expect(!"\(error)".contains("s3cret"), "\(error)")
    }

    static let headers = [
        Header("", "v"), Header("a b", "v"), Header("a\r\nb", "v"), Header("a\0", "v"),
        Header("ä", "v"), Header(huge, "v"), Header("X", "s3cret\r\nInjected: 1"),
        Header("X", "s3cret\n"), Header("X", "s3cret\0"), Header("X", "s3cret ü"),
        Header("X", "s3cret\u{7f}"), Header("Host", "s3cret"), Header("content-length", "7"),
        Header("X", huge),
    ].map { Wrong($0, "header") }

    @Test("a header that cannot be sent is refused, and its value not shown", arguments: headers)
    func wrongHeader(wrong: Wrong<Header>) async throws {
        let request = Request(.get, "https://api.example.com/", headers: [wrong.value])
        let error = try await failure { try await client().send(request) }
        guard case .invalidRequest(let place, let message) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(place.hasPrefix(wrong.place))
        #expect(!"\(error)".contains("s3cret"))
        #expect(message.utf8.count < 1000)
    }

    static let bodiless = [Request.Method.get, .head]

    @Test("GET and HEAD take no body, not even an empty one", arguments: bodiless)
    func wrongBody(method: Request.Method) async throws {
        let request = Request(method, "https://api.example.com/", body: Data())
        let error = try await failure { try await client().send(request) }
        #expect(error.code == "invalid_request")
        #expect(error.place == "body")
    }

    @Test(
        "a timeout that is none is refused",
        arguments: [0, -1, -0.001, .nan, .infinity, -.infinity, .greatestFiniteMagnitude])
    func wrongTimeout(seconds: TimeInterval) async throws {
        let request = Request(.get, "https://api.example.com/", timeout: seconds)
        let error = try await failure { try await client().send(request) }
        #expect(error.code == "invalid_request")
        #expect(error.place == "timeout")

        let total = try await failure { try client { $0.timeout = seconds } }
        #expect(total.code == "invalid_config")
        #expect(total.place == "timeout")
        let connect = try await failure { try client { $0.connectTimeout = seconds } }
        #expect(connect.code == "invalid_config")
        #expect(connect.place == "connect_timeout")
    }

    @Test(
        "a timeout may be very short or very long",
        arguments: [.leastNonzeroMagnitude, 0.0001, 86_400])
    func extremeTimeout(seconds: TimeInterval) async throws {
        let request = Request(.get, "https://api.example.com/", timeout: seconds)
        let error = try await failure { try await client().send(request) }
        #expect(["connect_failed", "timeout_total"].contains(error.code), "\(error)")
    }

    typealias Change = @Sendable (inout PinnedClient.Configuration) -> Void

    static let changes: [Wrong<Change>] = [
        Wrong({ $0.timeout = 86_401 }, "timeout"),
        Wrong({ $0.connectTimeout = 86_401 }, "connect_timeout"),
        Wrong({ $0.readTimeout = 86_401 }, "read_timeout"),
        Wrong({ $0.readTimeout = -1 }, "read_timeout"),
        Wrong({ $0.maxRequests = 0 }, "max_requests"),
        Wrong({ $0.maxRequests = .max }, "max_requests"),
        Wrong({ $0.maxRequestsPerHost = 10_001 }, "max_requests_per_host"),
        Wrong({ $0.maxRequestsPerHost = -1 }, "max_requests_per_host"),
        Wrong({ $0.maxIdleConnections = 1_001 }, "max_idle_connections"),
        Wrong({ $0.maxIdleConnections = -1 }, "max_idle_connections"),
        Wrong({ $0.maxResponseBytes = -1 }, "max_response_bytes"),
        Wrong({ $0.maxResponseBytes = 0 }, "max_response_bytes"),
        Wrong({ $0.maxResponseBytes = .max }, "max_response_bytes"),
        Wrong({ $0.maxRedirects = -1 }, "max_redirects"),
        Wrong({ $0.maxRedirects = 51 }, "max_redirects"),
        Wrong({ $0.maxRedirects = .max }, "max_redirects"),
        Wrong({ $0.userAgent = "a\r\nb" }, "user_agent"),
        Wrong({ $0.userAgent = huge }, "user_agent"),
        Wrong({ $0.connectTo = [ConnectTo(host: "", address: "127.0.0.1:1")] }, "connect_to"),
        Wrong({ $0.connectTo = [ConnectTo(host: "a.b", address: "a.b:1")] }, "connect_to[0]"),
        Wrong({ $0.connectTo = [ConnectTo(host: "a.b", address: huge)] }, "connect_to[0]"),
    ]

    @Test("a setting out of range is refused with its name", arguments: changes)
    func wrongSetting(wrong: Wrong<Change>) async throws {
        let error = try await failure { try client(configure: wrong.value) }
        #expect(error.code == "invalid_config")
        #expect(error.place == wrong.place, "\(error)")
        #expect(error.message.utf8.count < 1000)
    }

    @Test("a root that is no certificate is refused with its place")
    func wrongRoot() async throws {
        let error = try await failure {
            try client { $0.roots = .only([Data("certificate".utf8)]) }
        }
        #expect(error.code == "invalid_certificate")
        #expect(error.place == "roots[0]")
    }

    @Test("the system's authorities can be used")
    func systemRoots() async throws {
        let client = try client { $0.roots = .system }
        let error = try await failure { try await client.get("https://api.example.com/") }
        #expect(error.code == "connect_failed")
    }
}
