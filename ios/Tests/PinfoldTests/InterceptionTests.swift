import Foundation
import Pinfold
import Testing

/// Who is said to be in the middle, over real connections.
struct InterceptionTests {
    let kit: Testkit
    let url = "https://api.example.test/"

    init() async throws {
        kit = try await Testkit()
    }

    @Test(
        "an error says who is probably there, and why",
        arguments: [
            Guess("impostor", .unknownAuthority, .possible, ["issuer_missing"]),
            Guess("self_signed", .captivePortal, .possible, ["self_signed"]),
            Guess("wrong_host", .wrongName, .likely, ["other_names"]),
            Guess("expired", .expired, .likely, ["validity"]),
            Guess("not_yet_valid", .wrongClock, .likely, ["validity"]),
            Guess(
                "no_intermediate", .serverMisconfigured, .likely, ["issuer_missing", "pinned_key"]),
            Guess("leaf_last", .serverMisconfigured, .likely, ["further_down", "pinned_key"]),
        ])
    func untrusted(guess: Guess) async throws {
        let client = try kit.client(guess.server, kit.policy("backend"))
        let error = try await failure { try await client.get(url) }
        let report = try #require(error.interception, "\(error)")
        #expect((report.mend != nil) == (report.kind == .serverMisconfigured))
        #expect(report.kind == guess.kind)
        #expect(report.confidence == guess.confidence)
        #expect(report.evidence.map(\.code) == guess.evidence)
        #expect(report.evidence.allSatisfy { !$0.text.isEmpty })
        #expect(report.product == nil)
        #expect(report.authority == error.certificate?.issuer)
        #expect(report.message.hasSuffix("."))
        #expect(error.certificate?.interception == report)
        #expect(error.message.contains("\(report.confidence.code): \(report.kind.code)"))
    }

    @Test("an authority of the app's own, with a key that is not pinned, is no stranger's")
    func mismatch() async throws {
        let client = try kit.client("interceptor")
        let error = try await failure { try await client.get(url) }
        #expect(error.code == "pin_mismatch")
        let report = try #require(error.interception)
        #expect(report.kind == .rotatedOrMisissued)
        #expect(report.confidence == .possible)
        #expect(report.authority?.contains("Interception Authority") == true)

        let lenient = try kit.client("interceptor", kit.policy(mode: .reportOnly))
        guard case .reportOnly(let mismatch) = try await lenient.get(url).pinning else {
            Issue.record("not report-only")
            return
        }
        #expect(mismatch.interception == report)
    }

    @Test("an answer in the clear may be a portal's")
    func plainHttp() async throws {
        let client = try kit.client("plain_http")
        let error = try await failure { try await client.get(url) }
        guard case .tlsFailed(host: Testkit.host, let interception, _) = error else {
            Issue.record("\(error)")
            return
        }
        let report = try #require(interception)
        #expect(report == error.interception)
        #expect(report.kind == .captivePortal)
        #expect(report.confidence == .possible)
        #expect(report.evidence.map(\.code) == ["http_in_clear"])
        #expect(report.authority == nil)
        #expect(error.certificate == nil)
    }

    @Test(
        "where nothing speaks for anybody, nobody is named",
        arguments: [
            ("garbage", "tls_failed"), ("wrong_key", "tls_failed"),
            ("close_on_hello", "connection_lost"), ("close_on_accept", "connection_lost"),
        ])
    func nobody(server: String, code: String) async throws {
        let client = try kit.client(server)
        let error = try await failure { try await client.get(url) }
        #expect(error.code == code)
        #expect(error.interception == nil)
    }
}

/// A server, and whom it is taken for.
struct Guess: Sendable, CustomTestStringConvertible {
    let server: String
    let kind: InterceptionReport.Kind
    let confidence: InterceptionReport.Confidence
    let evidence: [String]

    var testDescription: String { server }

    init(
        _ server: String,
        _ kind: InterceptionReport.Kind,
        _ confidence: InterceptionReport.Confidence,
        _ evidence: [String]
    ) {
        self.server = server
        self.kind = kind
        self.confidence = confidence
        self.evidence = evidence
    }
}
