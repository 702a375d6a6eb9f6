import Foundation
import Pinfold
import Testing

struct RequestTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    @Test("a pinned GET brings the status, the headers, the body and the pin that matched")
    func pinnedGet() async throws {
        let response = try await kit.client().get("https://api.example.test/bytes/100")
        #expect(response.status == 200)
        #expect(response.url == "https://api.example.test/bytes/100")
        #expect(response.header("CONTENT-Length") == "100")
        #expect(response.header("absent") == nil)
        #expect(response.body == letters(100))
        #expect(response.text.hasPrefix("abc"))
        let pin = try kit.pin("backend")
        #expect(
            response.pinning
                == .matched(rule: "api.example.test", pin: pin, at: .leaf, state: .active))
    }

    @Test("a URL can be given as Foundation's type")
    func foundationUrl() async throws {
        let url = try #require(URL(string: "https://api.example.test/echo?a=b%20c#fragment"))
        let client = try kit.client()
        #expect(try Echo(await client.get(url)).path == "/echo?a=b%20c")
        #expect(try Echo(await client.post(url, body: Data())).method == "POST")
        #expect(try await client.head(url).status == 200)
    }

    @Test("each method arrives as itself, with its headers and its body")
    func methods() async throws {
        let client = try kit.client()
        let url = "https://api.example.test/echo"
        let headers = [Header("Content-Type", "text/plain"), Header("X-Key", "k", sensitive: true)]
        let body = Data([0, 1, 255])
        for (method, response) in [
            ("GET", try await client.get(url, headers: headers)),
            ("POST", try await client.post(url, headers: headers, body: body)),
            ("PUT", try await client.put(url, headers: headers, body: body)),
            ("PATCH", try await client.patch(url, headers: headers, body: body)),
            ("DELETE", try await client.delete(url, headers: headers, body: body)),
        ] {
            let echo = try Echo(response)
            #expect(echo.method == method)
            #expect(echo.header("content-type") == "text/plain")
            #expect(echo.header("x-key") == "k")
            #expect(echo.body_base64 == (method == "GET" ? Data() : body), "\(method)")
        }
    }

    @Test("a slice of data is sent as that slice")
    func slicedBody() async throws {
        let body = letters(30)[10..<20]
        let response = try await kit.client().post("https://api.example.test/echo", body: body)
        #expect(try Echo(response).body_base64 == Data(body))
    }

    @Test("HEAD brings the headers and no body")
    func head() async throws {
        let response = try await kit.client().head("https://api.example.test/bytes/100")
        #expect(response.status == 200)
        #expect(response.header("content-length") == "100")
        #expect(response.body.isEmpty)
    }

    @Test("every status is a response", arguments: [204, 304, 404, 500, 599])
    func statuses(status: Int) async throws {
        let response = try await kit.client().get("https://api.example.test/status/\(status)")
        #expect(response.status == status)
    }

    @Test("5 MB arrive and leave to the byte")
    func largeBodies() async throws {
        let client = try kit.client()
        let body = letters(5_000_000)
        #expect(try await client.get("https://api.example.test/bytes/5000000").body == body)
        #expect(try await client.get("https://api.example.test/chunked/5000000").body == body)
        let echo = try await client.post("https://api.example.test/echo", body: body)
        #expect(try Echo(echo).body_base64 == body)
    }

    @Test("gzip is decoded")
    func gzip() async throws {
        let response = try await kit.client().get("https://api.example.test/gzip/100000")
        #expect(response.body == Data(count: 100_000))
    }

    @Test("a header is read as UTF-8, and a body by its charset")
    func characters() async throws {
        let head = "HTTP/1.1 200 OK\r\nX-Utf8: é\r\nX-Other: ".utf8 + [0xE9]
        let rest = "\r\nContent-Type: text/plain; charset=latin1\r\nContent-Length: 1\r\n\r\n".utf8
        let answer = Data(head + Array(rest) + [0xFC])
        let hex = answer.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let response = try await kit.client().get("https://api.example.test/hex/\(hex)")
        #expect(response.header("X-Utf8") == "é")
        #expect(response.header("X-Other") == "\u{FFFD}")
        #expect(response.text == "ü")
    }

    @Test("a header replaces those of its name, and an added one does not")
    func headers() async throws {
        var request = Request(.get, "https://api.example.test/echo")
        request.addHeader("X-One", "0")
        request.header("x-one", "1")
        request.addHeader("X-One", "2", sensitive: true)
        request.header("X-Key", "old")
        request.header("x-key", "k", sensitive: true)
        let sensitive = request.headers.map(\.isSensitive)
        #expect(sensitive == [false, true, true])
        let echo = try Echo(await kit.client().send(request))
        let added = echo.headers.filter { $0.first?.lowercased() == "x-one" }
        #expect(added.map { $0.last } == ["1", "2"])
        #expect(echo.header("x-key") == "k")
    }

    @Test("32 requests at a time each get their own answer")
    func parallel() async throws {
        let client = try kit.client()
        try await withThrowingTaskGroup(of: (Int, Response).self) { group in
            for i in 0..<32 {
                group.addTask { (i, try await client.get("https://api.example.test/bytes/\(i)")) }
            }
            for try await (i, response) in group {
                #expect(response.body == letters(i))
            }
        }
    }

    @Test("connections are used again")
    func keepAlive() async throws {
        let client = try kit.client()
        let first = try Echo(await client.get("https://api.example.test/echo"))
        let second = try Echo(await client.get("https://api.example.test/echo"))
        #expect(first.connection == second.connection)
    }

    @Test("a sensitive header stays behind when a redirect leads elsewhere")
    func sensitiveHeaders() async throws {
        var policy = try kit.policy()
        policy.host = "example.test"
        policy.includeSubdomains = true
        let address = try kit.address("backend")
        let client = try kit.client("backend", policy) {
            $0.connectTo.append(ConnectTo(host: "www.example.test", address: address))
        }
        let request = Request(
            .get,
            "https://api.example.test/redirect?to=https%3A%2F%2Fwww.example.test%2Fecho",
            headers: [
                Header("X-Key", "k", sensitive: true), Header("Authorization", "a"),
                Header("X-Other", "o"),
            ]
        )
        let response = try await client.send(request)
        #expect(response.url == "https://www.example.test/echo")
        let echo = try Echo(response)
        #expect(echo.header("x-key") == nil)
        #expect(echo.header("authorization") == nil)
        #expect(echo.header("x-other") == "o")
    }

    @Test("with no redirects to follow, one is a response like others")
    func redirectsOff() async throws {
        let client = try kit.client { $0.maxRedirects = 0 }
        let response = try await client.get("https://api.example.test/redirect?to=%2F")
        #expect(response.status == 302)
        #expect(response.header("location") == "/")
    }

    @Test("a request says how many of its redirects are followed")
    func ownRedirects() async throws {
        let client = try kit.client()
        var request = Request(.get, "https://api.example.test/redirect?to=%2F")
        request.maxRedirects = 0
        #expect(try await client.send(request).status == 302)
        request.maxRedirects = 1
        #expect(try await client.send(request).status == 200)
        for wrong in [-1, 51] {
            request.maxRedirects = wrong
            let error = try await failure { [request] in try await client.send(request) }
            #expect(error.code == "invalid_request")
        }
    }

    @Test("the User-Agent is what the configuration says")
    func userAgent() async throws {
        let client = try kit.client { $0.userAgent = "Example/1.0" }
        let echo = try Echo(await client.get("https://api.example.test/echo"))
        #expect(echo.header("user-agent") == "Example/1.0")
    }
}
