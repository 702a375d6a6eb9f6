import Foundation
import Testing

@testable import Pinfold

struct ProxyTests {
    let kit: Testkit
    let url = "https://api.example.test/"
    let login = ProxyCredentials(user: "user", password: "open sesame")

    init() async throws {
        kit = try await Testkit()
    }

    func proxy(
        _ server: String, _ scheme: Proxy.Scheme = .http, _ credentials: ProxyCredentials? = nil
    ) throws -> Proxy {
        var proxy = try Proxy(url: kit.address(server))
        (proxy.scheme, proxy.credentials) = (scheme, credentials)
        return proxy
    }

    func client(_ proxies: Proxies, _ server: String = "backend") throws -> PinnedClient {
        try kit.client(server) { $0.proxies = proxies }
    }

    @Test("a request goes through each kind of proxy")
    func kinds() async throws {
        for proxy in [
            try proxy("proxy"), try proxy("proxy_login", .http, login), try proxy("proxy_slow"),
            try proxy("socks", .socks5h), try proxy("socks", .socks5),
            try proxy("socks_login", .socks5h, login),
        ] {
            let response = try await client(.fixed(proxy)).get(url)
            #expect(response.text == "ok", "\(proxy)")
        }
    }

    @Test("pins hold through a proxy, and the facts name it")
    func pins() async throws {
        let proxy = try proxy("proxy")
        let error = await failure(try client(.fixed(proxy), "interceptor"))
        guard case .pinMismatch(let facts, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(facts.proxy == proxy.description)
        #expect(facts.host == Testkit.host)
    }

    @Test("a session goes through its own proxies, and nobody else does")
    func sessions() async throws {
        let refusing = Proxies.fixed(try proxy("proxy_refusing"))
        let (through, direct) = (try client(refusing), try client(.none))
        func session(_ client: PinnedClient, _ proxies: Proxies) throws -> PinnedClient {
            var configuration = PinnedClient.SessionConfiguration()
            configuration.proxies = .own(proxies)
            return try client.session(configuration)
        }
        for client in [direct, try session(through, .none), try direct.session()] {
            #expect(try await client.get(url).text == "ok")
        }
        for client in [through, try session(direct, refusing), try through.session()] {
            #expect(await failure(client)?.code == "proxy_refused")
        }
    }

    @Test("refusals are the proxy's")
    func refusals() async throws {
        let refusing = try proxy("proxy_refusing")
        guard
            case .proxyRefused(Testkit.host, refusing.description, 403, let message) =
                await failure(try client(.fixed(refusing)))
        else {
            Issue.record("not refused")
            return
        }
        #expect(message.contains("ERR_ACCESS_DENIED"))

        let wrong = ProxyCredentials(user: "user", password: "wrong-secret")
        let unknown = try proxy("proxy_login", .http, wrong)
        let error = await failure(try client(.fixed(unknown)))
        #expect(error?.code == "proxy_auth_required")
        let told = "\(String(describing: error)) \(unknown) \(String(reflecting: unknown)) \(wrong)"
        #expect(!told.contains("wrong-secret"), "\(told)")

        let silent = try proxy("close_on_accept")
        #expect(await failure(try client(.fixed(silent)))?.code == "proxy_failed")
    }

    @Test("excluded hosts are reached directly")
    func exclusions() async throws {
        let refusing = try proxy("proxy_refusing")
        _ = try await client(.fixed(refusing, noProxy: "a.test, example.test"))
            .get(url)
        let error = await failure(try client(.fixed(refusing, noProxy: "*:444 10.0.0.0/8")))
        #expect(error?.code == "proxy_refused")
        #expect {
            try client(.fixed(refusing, noProxy: "a.test b..test"))
        } throws: { error in
            (error as? PinfoldError)?.place == "no_proxy[1]"
        }
    }

    @Test("a selector is asked, and what it throws ends the call")
    func selectors() async throws {
        struct OfSecrets: Error {}
        let good = try proxy("proxy")
        let selector = ProxySelector { host, port in
            #expect(host == Testkit.host)
            #expect(port == 443)
            let dead = Proxy(scheme: .http, host: "127.0.0.1", port: 1)
            return [.via(dead), .via(good)]
        }
        _ = try await client(.selector(selector)).get(url)
        for selector in [
            ProxySelector { _, _ in throw OfSecrets() }, ProxySelector { _, _ in [] },
            ProxySelector { _, _ in [.via(Proxy(scheme: .http, host: "h", port: 0))] },
        ] {
            guard
                case .proxyFailed(_, nil, _) = await failure(try client(.selector(selector)))
            else {
                Issue.record("a way was found")
                return
            }
        }
    }

    @Test("by default it is the system's, which are none where there is no CFNetwork")
    func system() async throws {
        #expect(PinnedClient.Configuration().proxies == .system())
        #expect(PinSetUpdater.Configuration().proxies == .system())
        _ = try await client(.system(credentials: login)).get(url)
        _ = try await client(.none).get(url)
    }

    @Test("what curl takes is a proxy")
    func urls() throws {
        let proxy = try Proxy(url: "socks5h://user:open%20sesame@[::1]:1081")
        let expected = Proxy(scheme: .socks5h, host: "::1", port: 1081, credentials: login)
        #expect(proxy == expected)
        #expect(proxy.description == "socks5h://[::1]:1081")
        #expect {
            try Proxy(url: "ftp://u:secret@h")
        } throws: { error in
            let error = error as? PinfoldError
            return error?.place == "proxy" && error?.message.contains("secret") == false
        }
    }

    func failure(_ client: PinnedClient) async -> PinfoldError? {
        do {
            _ = try await client.get(url)
            return nil
        } catch {
            return error as? PinfoldError
        }
    }
}
