import Foundation
import Pinfold
import Testing

/// What a client adds to its requests, methods that have no name of their own, and JSON.
struct DefaultsTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    struct Order: Codable, Equatable {
        var item: Int
        var note: String
    }

    @Test("any token is a method, and what is none is refused")
    func methods() async throws {
        let client = try kit.client()
        let url = "https://api.example.test/echo"
        for method: Request.Method in [.options, "PROPFIND", "QUERY", "M-SEARCH"] {
            let request = Request(method, url, body: Data("body".utf8))
            let echo = try Echo(await client.send(request))
            #expect(echo.method == method.rawValue)
            #expect(echo.body_base64 == Data("body".utf8))
        }
        for method: Request.Method in ["", "get", "A B", "A\r\nB", "CONNECT"] {
            let error = try await failure { _ = try await client.send(Request(method, url)) }
            #expect(error.place == "method")
        }
    }

    @Test("URLs begin at the base, and secrets go to its server alone")
    func base() async throws {
        var policy = try kit.policy()
        policy.host = "example.test"
        policy.includeSubdomains = true
        let address = try kit.address("backend")
        let client = try kit.client("backend", policy) {
            $0.baseURL = "https://api.example.test/"
            $0.defaultHeaders = [
                Header("X-App", "7"), Header("Authorization", "Bearer s3cret"),
                Header("X-Key", "s3cret", sensitive: true),
            ]
            $0.connectTo.append(ConnectTo(host: "www.example.test", address: address))
        }
        let home = try Echo(await client.get("echo"))
        #expect(home.header("x-app") == "7")
        #expect(home.header("authorization") == "Bearer s3cret")
        #expect(home.header("x-key") == "s3cret")
        let own = try Echo(await client.get("/echo", headers: [Header("x-app", "own")]))
        #expect(own.header("x-app") == "own")
        let away = try await client.get("https://www.example.test/echo")
        #expect(try Echo(away).header("x-app") == "7")
        #expect(!away.text.contains("s3cret"))
        let leaving = try await failure { _ = try await client.get("//www.example.test/echo") }
        #expect(leaving.code == "invalid_url")

        let withoutSlash = try await failure {
            _ = try kit.client { $0.baseURL = "https://api.example.test/v1" }
        }
        #expect(withoutSlash.place == "base_url")
        let toWhom = try await failure {
            _ = try kit.client { $0.defaultHeaders = [Header("Authorization", "Bearer s3cret")] }
        }
        #expect(toWhom.place == "default_headers")
        #expect(!toWhom.message.contains("s3cret"))
    }

    @Test("JSON goes both ways, and what is wrong with it is told without it")
    func json() async throws {
        let client = try kit.client()
        let order = Order(item: 7, note: "Größe")
        var request = Request(.post, "https://api.example.test/echo")
        try request.json(order)
        let echo = try Echo(await client.send(request))
        #expect(echo.header("content-type") == "application/json")
        #expect(try JSONDecoder().decode(Order.self, from: echo.body_base64) == order)
        request.header("content-type", "application/merge-patch+json")
        try request.json(["item": 7])
        #expect(request.headers.map(\.value) == ["application/merge-patch+json"])
        #expect(throws: PinfoldError.self) { try request.json(Double.nan) }

        func answer(_ body: String) async throws -> Response {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            let hex = (head + body).utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            return try await client.get("https://api.example.test/hex/\(hex.joined())")
        }
        let whole = #"{"item":7,"note":"Größe"}"#
        #expect(try await answer(whole).json(Order.self) == order)
        for (bad, place) in [
            (#"{"item":"s3cret","note":""}"#, ", at item"), (#"{"item":7}"#, ", at note"),
            ("s3cret", ""),
        ] {
            let response = try await answer(bad)
            let error = try await failure { _ = try response.json(Order.self) }
            #expect(error.message.hasSuffix("its body: not the JSON that was expected" + place))
            #expect(error.code == "invalid_response")
        }
        let keys = try await answer(#"{"s3cret":"x"}"#)
        let error = try await failure { _ = try keys.json([String: Int].self) }
        #expect(!error.message.contains("s3cret"))
    }
}
