import Foundation
import Pinfold
import Testing

/// Against servers of the testkit that others have started: `PINFOLD_TESTKIT_INFO` is what its
/// control API says of them at `/info`.
struct SmokeTests {
    static let host = "api.example.test"
    static let publicHost = ProcessInfo.processInfo.environment["PINFOLD_PUBLIC_HOST"] ?? ""

    struct Info: Decodable {
        let servers: [String: UInt16]
        let certificates: [String: Data]
        let pins: [String: String]
    }

    let info: Info

    init() throws {
        let json = ProcessInfo.processInfo.environment["PINFOLD_TESTKIT_INFO"]
        info = try JSONDecoder().decode(Info.self, from: Data(#require(json).utf8))
    }

    @Test("a pinned request goes through")
    func match() async throws {
        let response = try await client("backend", testRoots()).get("https://\(Self.host)/")
        #expect(response.status == 200)
    }

    @Test("an interceptor that is trusted is refused for its pin")
    func mismatch() async throws {
        let error = try await failure(client("interceptor", testRoots()))
        #expect(error.code == "pin_mismatch")
    }

    @Test("the system does not trust what it does not know, though the pin is right")
    func untrusted() async throws {
        let error = try await failure(client("backend", .system))
        #expect(error.code.hasPrefix("certificate_"))
    }

    @Test("the system trusts a public host", .enabled(if: !publicHost.isEmpty))
    func trusted() async throws {
        var configuration = PinnedClient.Configuration()
        configuration.denyUnpinned = false
        let client = try PinnedClient(pins: pins(), configuration: configuration)
        #expect(try await client.get("https://\(Self.publicHost)/").status == 200)
    }

    #if canImport(Security)
        @Test(
            "a session of URLSession does what the client does", .enabled(if: !publicHost.isEmpty))
        func session() async throws {
            var configuration = PinnedClient.Configuration()
            for denied in [false, true] {
                configuration.denyUnpinned = denied
                let client = try PinnedClient(pins: pins(), configuration: configuration)
                let pinning = URLSessionPinning(client: client)
                let session = URLSession(
                    configuration: .ephemeral, delegate: pinning, delegateQueue: nil)
                let url = try #require(URL(string: "https://\(Self.publicHost)/"))
                do {
                    let (_, response) = try await session.data(from: url)
                    #expect((response as? HTTPURLResponse)?.statusCode == 200)
                    #expect(!denied)
                } catch {
                    #expect((pinning.cause(of: error) as? PinfoldError)?.code == "host_not_pinned")
                    #expect(denied)
                }
            }
        }
    #endif

    private func pins() throws -> PinSet {
        let pins = try ["backend", "backup"].map { Pin(try #require(info.pins[$0])) }
        return try PinSet(hosts: [HostPolicy(host: Self.host, pins: pins)])
    }

    private func testRoots() throws -> Roots {
        .only(try ["root", "other_root"].map { try #require(info.certificates[$0]) })
    }

    private func client(_ server: String, _ roots: Roots) throws -> PinnedClient {
        let port = try #require(info.servers[server])
        var configuration = PinnedClient.Configuration()
        configuration.roots = roots
        configuration.connectTo = [ConnectTo(host: Self.host, address: "127.0.0.1:\(port)")]
        return try PinnedClient(pins: pins(), configuration: configuration)
    }

    private func failure(_ client: PinnedClient) async throws -> PinfoldError {
        do {
            _ = try await client.get("https://\(Self.host)/")
        } catch let error as PinfoldError {
            return error
        }
        Issue.record("nothing was thrown")
        throw CancellationError()
    }
}
