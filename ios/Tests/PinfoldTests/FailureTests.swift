import Foundation
import Pinfold
import Testing

/// What servers and networks do wrong, and the error each of it is.
struct FailureTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    @Test(
        "an untrusted certificate is refused with its reason and facts",
        arguments: [
            ("expired", UntrustedReason.expired), ("not_yet_valid", .notYetValid),
            ("impostor", .unknownIssuer), ("self_signed", .unknownIssuer),
            ("wrong_host", .wrongHost),
        ])
    func untrusted(server: String, reason: UntrustedReason) async throws {
        // With the server's own pin, which must not help.
        let client = try kit.client(server, kit.policy(server))
        let error = try await failure { try await client.get("https://api.example.test/") }
        guard case .untrusted(let told, let facts, let message) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(told == reason)
        #expect(try facts.presentedPin == kit.pin(server))
        #expect(facts.host == Testkit.host)
        #expect(message.contains(Testkit.host))
        let events = try await kit.wait(server, for: "closed")
        #expect(events.last?.application_bytes == 0)
    }

    @Test(
        "a handshake that fails otherwise says how far it came",
        arguments: [
            ("garbage", "tls_failed"), ("plain_http", "tls_failed"), ("wrong_key", "tls_failed"),
            ("close_on_hello", "connection_lost"), ("reset_on_hello", "connection_lost"),
            ("close_in_handshake", "connection_lost"),
            ("close_after_handshake", "connection_lost"),
        ])
    func handshakes(server: String, code: String) async throws {
        let client = try kit.client(server)
        let error = try await failure { try await client.get("https://api.example.test/") }
        #expect(error.code == code, "\(error)")
        #expect(error.host == Testkit.host)
    }

    @Test(
        "a response that is not whole or not HTTP is an error and never a body",
        arguments: [
            ("/truncated", "truncated"), ("/short", "truncated"), ("/chunked-cut", "truncated"),
            ("/gzip-cut", "invalid_response"), ("/gzip-bad", "invalid_response"),
            ("/garbage", "invalid_response"), ("/bad-status", "invalid_response"),
            ("/bad-header", "invalid_response"), ("/nul-header", "invalid_response"),
            ("/bad-length", "invalid_response"), ("/endless-head", "invalid_response"),
            ("/close", "connection_lost"), ("/reset", "connection_lost"),
            ("/close-head", "connection_lost"), ("/bomb", "response_too_large"),
            ("/endless", "response_too_large"),
            ("/redirect?to=http%3A%2F%2Fapi.example.test%2F", "insecure_redirect"),
            ("/redirect?to=https%3A%2F%2Fwww.example.test%2F", "host_not_pinned"),
        ])
    func responses(path: String, code: String) async throws {
        let client = try kit.client()
        let error = try await failure { try await client.get("https://api.example.test\(path)") }
        #expect(error.code == code, "\(error)")
        #expect(error.host?.hasSuffix(".example.test") == true)
    }

    @Test(
        "a body may be as large as the limit and not a byte larger", arguments: ["bytes", "gzip"])
    func limit(path: String) async throws {
        let client = try kit.client { $0.maxResponseBytes = 1000 }
        let url = "https://api.example.test/\(path)"
        #expect(try await client.get("\(url)/1000").body.count == 1000)
        let error = try await failure { try await client.get("\(url)/1001") }
        guard case .responseTooLarge(host: Testkit.host, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(error.message.contains("1000 bytes"))
    }

    @Test("redirects are followed up to the limit")
    func redirects() async throws {
        let client = try kit.client { $0.maxRedirects = 2 }
        let url = "https://api.example.test/redirect?to="
        let two = "%2Fredirect%3Fto%3D%252Fecho"
        #expect(try Echo(await client.get(url + two)).path == "/echo")
        let three = "%2Fredirect%3Fto%3D%252Fredirect%253Fto%253D%25252Fecho"
        let error = try await failure { try await client.get(url + three) }
        #expect(error.code == "too_many_redirects")
    }

    @Test("a server that says nothing in the handshake costs the connect timeout")
    func connectTimeout() async throws {
        let client = try kit.client("hang_on_accept") { $0.connectTimeout = 0.2 }
        let error = try await failure { try await client.get("https://api.example.test/") }
        guard case .timeout(.connect, host: Testkit.host, let message) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(message.contains("200 ms"))
    }

    @Test("an answer that stops costs the read timeout", arguments: ["/hang", "/hang-body"])
    func readTimeout(path: String) async throws {
        let client = try kit.client { $0.readTimeout = 0.1 }
        let url = "https://api.example.test\(path)"
        let error = try await failure { try await client.get(url) }
        #expect(error.code == "timeout_read")
    }

    @Test("a request may wait longer for its answer than others do", arguments: [0, 20])
    func ownReadTimeout(seconds: TimeInterval) async throws {
        let client = try kit.client { $0.readTimeout = 0.1 }
        var request = Request(.get, "https://api.example.test/delay?ms=400")
        let error = try await failure { try await client.send(request) }
        #expect(error.code == "timeout_read")
        request.readTimeout = seconds
        #expect(try await client.send(request).status == 200)
    }

    @Test("a server that does not answer costs the timeout", arguments: ["/hang", "/hang-body"])
    func totalTimeout(path: String) async throws {
        let client = try kit.client { $0.timeout = 0.3 }
        let url = "https://api.example.test\(path)"
        let error = try await failure { try await client.get(url) }
        #expect(error.code == "timeout_total")
        let own = try await failure { try await client.send(Request(.get, url, timeout: 0.1)) }
        guard case .timeout(.total, host: Testkit.host, let message) = own else {
            Issue.record("\(own)")
            return
        }
        #expect(message.contains("100 ms"))
    }

    @Test("a port where nobody listens is connect_failed")
    func connectFailed() async throws {
        // Port 1 is nobody's, and below those that are handed out.
        let nobody = ConnectTo(host: Testkit.host, address: "127.0.0.1:1")
        let client = try kit.client { $0.connectTo = [nobody] }
        let error = try await failure { try await client.get("https://api.example.test/") }
        #expect(error.code == "connect_failed")
        #expect(error.host == Testkit.host)
    }

    @Test("a name that does not exist is dns_failed")
    func dnsFailed() async throws {
        let client = try kit.client { $0.connectTo = [] }
        let error = try await failure { try await client.get("https://api.example.test/") }
        #expect(error.code == "dns_failed", "\(error)")
    }

    @Test("a connection that is lost while idle is replaced without a word")
    func staleConnection() async throws {
        let client = try kit.client()
        #expect(try await client.get("https://api.example.test/").text == "ok")
        try await kit.dropConnections("backend")
        #expect(try await client.get("https://api.example.test/").text == "ok")
    }

    /// Nobody ignores SIGPIPE in a Swift program, so a write that raises it ends the tests.
    @Test("connections that the server resets cost their requests and not the process")
    func resets() async throws {
        let client = try kit.client()
        for _ in 0..<20 {
            let error = try await failure {
                try await client.post("https://api.example.test/reset", body: letters(100_000))
            }
            #expect(error.code == "connection_lost")
        }
        #expect(try await client.get("https://api.example.test/").text == "ok")
    }

    @Test("a client that nobody holds any more closes its connections")
    func released() async throws {
        _ = try await kit.client().get("https://api.example.test/")
        _ = try await kit.wait("backend", for: "closed")
    }

    @Test("a closed client refuses, and closing ends what is running")
    func closed() async throws {
        let client = try kit.client()
        async let hanging = failure { try await client.get("https://api.example.test/hang") }
        _ = try await kit.wait("backend", for: "request")
        client.close()
        #expect(try await hanging.code == "client_closed")
        client.close()
        let later = try await failure { try await client.get("https://api.example.test/") }
        #expect(later.code == "client_closed")
        #expect(throws: later) { try client.replacePins(PinSet(hosts: [kit.policy()])) }
    }
}
