#if canImport(Security)
    import Foundation
    import Pinfold
    import Security
    import Testing

    /// A session of Apple's system, against servers that it does not trust itself. A name without a
    /// dot needs no exception from App Transport Security.
    struct URLSessionTests {
        let kit: Testkit

        init() async throws {
            kit = try await Testkit()
        }

        /// A client that trusts the test root for `localhost`, and pins a key there.
        func client(_ key: String = "backend") throws -> PinnedClient {
            try PinnedClient(pins: pins(key))
        }

        func pins(_ key: String) throws -> PinSet {
            var policy = try kit.policy(key)
            policy.host = "localhost"
            policy.trust = .privateCa
            policy.anchors = [try kit.certificate("root")]
            return try PinSet(hosts: [policy])
        }

        func url(_ server: String, _ path: String = "/") throws -> URL {
            let port = try #require(kit.address(server).split(separator: ":").last)
            return try #require(URL(string: "https://localhost:\(port)\(path)"))
        }

        func session(_ delegate: any URLSessionDelegate) -> URLSession {
            URLSession(configuration: .ephemeral, delegate: delegate, delegateQueue: nil)
        }

        /// The code of the error with which a session fails.
        func failure(
            _ pinning: URLSessionPinning,
            _ url: URL,
            in session: URLSession? = nil
        ) async -> String? {
            let session = session ?? self.session(pinning)
            defer { session.invalidateAndCancel() }
            do {
                _ = try await session.data(from: url)
                return nil
            } catch {
                return (pinning.cause(of: error) as? PinfoldError)?.code ?? "\(error)"
            }
        }

        @Test("a session refuses what the client refuses, and the error says why")
        func refused() async throws {
            var policy = try kit.policy()
            policy.host = "localhost"
            let client = try PinnedClient(
                pins: PinSet(hosts: [policy]), configuration: kit.configuration("interceptor"))
            let pinning = URLSessionPinning(client: client)
            #expect(await failure(pinning, try url("interceptor")) == "pin_mismatch")
            let events = try await kit.events("interceptor")
            #expect(!events.contains { $0.event == "request" })
        }

        @Test("a session uses what the client alone allows")
        func allowed() async throws {
            let session = session(URLSessionPinning(client: try client()))
            defer { session.invalidateAndCancel() }
            let (_, response) = try await session.data(from: url("backend"))
            #expect((response as? HTTPURLResponse)?.statusCode == 200)
        }

        @Test("a redirect away from HTTPS is not followed, and the error says so")
        func redirected() async throws {
            let path = "/redirect?code=302&to=http%3A%2F%2Flocalhost%3A9%2F"
            let pinning = URLSessionPinning(client: try client())
            #expect(await failure(pinning, try url("backend", path)) == "insecure_redirect")
        }

        @Test("a session whose delegate has the task's method alone is pinned, too")
        func byTask() async throws {
            let good = URLSessionPinning(client: try client())
            let session = session(ByTask(pinning: good))
            #expect(await failure(good, try url("backend"), in: session) == nil)
            let bad = URLSessionPinning(client: try client("rotated"))
            let refusing = self.session(ByTask(pinning: bad))
            #expect(await failure(bad, try url("backend"), in: refusing) == "pin_mismatch")
        }

        @Test("a session that is made after the pins were replaced is asked anew")
        func replaced() async throws {
            let client = try client()
            let pinning = URLSessionPinning(client: client)
            #expect(await failure(pinning, try url("backend")) == nil)
            try client.replacePins(pins("rotated"))
            #expect(await failure(pinning, try url("backend")) == "pin_mismatch")
        }
    }

    /// A session's delegate without a method for challenges that are the session's.
    private final class ByTask: NSObject, URLSessionTaskDelegate {
        let pinning: URLSessionPinning

        init(pinning: URLSessionPinning) {
            self.pinning = pinning
        }

        func urlSession(
            _ session: URLSession,
            task: URLSessionTask,
            didReceive challenge: URLAuthenticationChallenge,
            completionHandler: @escaping @Sendable (
                URLSession.AuthChallengeDisposition, URLCredential?
            ) -> Void
        ) {
            pinning.urlSession(
                session, task: task, didReceive: challenge, completionHandler: completionHandler)
        }
    }
#endif
