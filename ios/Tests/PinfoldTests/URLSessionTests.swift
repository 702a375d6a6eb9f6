#if canImport(Security)
    import Foundation
    import Pinfold
    import Testing

    /// A session of Apple's system, against servers that it does not trust itself.
    struct URLSessionTests {
        @Test("a session refuses what the client refuses, and the error says why")
        func refused() async throws {
            let kit = try await Testkit()
            var policy = try kit.policy()
            policy.host = "localhost"
            let client = try PinnedClient(
                pins: PinSet(hosts: [policy]), configuration: kit.configuration("interceptor"))
            let pinning = URLSessionPinning(client: client)
            let session = URLSession(
                configuration: .ephemeral, delegate: pinning, delegateQueue: nil)
            let port = try #require(kit.address("interceptor").split(separator: ":").last)
            let url = try #require(URL(string: "https://localhost:\(port)/"))
            do {
                _ = try await session.data(from: url)
                Issue.record("nothing was thrown")
            } catch {
                #expect((pinning.cause(of: error) as? PinfoldError)?.code == "pin_mismatch")
            }
            let events = try await kit.events("interceptor")
            #expect(!events.contains { $0.event == "request" })
        }
    }
#endif
