import PinfoldBindings
import Testing

@testable import Pinfold

struct ErrorCodeTests {
    func error(_ code: String, interception: Interception? = nil) -> PinfoldError {
        PinfoldError(
            Failure(
                code: code, message: "what happened", host: "host", place: "place", rule: "rule",
                presentedPin: "sha256/presented", expectedPins: ["sha256/expected"],
                subject: "subject", issuer: "issuer", pinSetVersion: 1, proxy: "proxy",
                proxyStatus: 403,
                interception: interception))
    }

    @Test("every code that Rust knows is a case here, and keeps its code and message")
    func everyCode() {
        let codes = errorCodes()
        #expect(codes.count == 43)
        for code in codes {
            let error = error(code)
            #expect(error.code == code)
            // An unknown code would be in the message.
            #expect(error.message == "what happened")
            #expect(error.errorDescription == "what happened")
            #expect("\(error)" == "\(code): what happened")
        }
        #expect(Set(codes.map { error($0) }).count == codes.count)
    }

    @Test("a code of a later version is not taken for another one")
    func unknownCode() {
        let error = error("from_the_future")
        #expect(error.code == "internal")
        #expect(error == .internal(message: "unknown code from_the_future: what happened"))
    }

    @Test("host, place and facts are where they are told")
    func members() {
        #expect(error("dns_failed").host == "host")
        #expect(error("dns_failed").place == nil)
        #expect(error("invalid_url").place == "place")
        #expect(error("invalid_url").host == nil)
        #expect(error("cancelled").certificate == nil)
        let refused = PinfoldError.proxyRefused(
            host: "host", proxy: "proxy", status: 403, message: "what happened")
        #expect(error("proxy_refused") == refused)
        for code in errorCodes().filter(refusesCertificate) {
            let error = error(code)
            #expect(error.host == "host")
            #expect(error.certificate?.rule == "rule")
            #expect(error.certificate?.presentedPin == "sha256/presented")
            #expect(error.certificate?.expectedPins == ["sha256/expected"])
            #expect(error.certificate?.subject == "subject")
            #expect(error.certificate?.issuer == "issuer")
            #expect(error.certificate?.pinSetVersion == 1)
            #expect(error.certificate?.proxy == "proxy")
        }
    }

    @Test("a report is told where there can be one and nowhere else")
    func reports() throws {
        let interception = Interception(
            kind: "captive_portal", confidence: "likely", product: "product",
            authority: "authority", evidence: [Evidence(code: "code", text: "text")],
            mend: "what its owner can do", message: "what to do")
        for code in errorCodes() {
            #expect(error(code).interception == nil)
            let report = error(code, interception: interception).interception
            guard refusesCertificate(code) || code == "tls_failed" else {
                #expect(report == nil, "\(code)")
                continue
            }
            let told = try #require(report, "\(code)")
            #expect(told.kind == .captivePortal)
            #expect(told.confidence == .likely)
            #expect(told.product == "product")
            #expect(told.authority == "authority")
            #expect(told.evidence.map { [$0.code, $0.text] } == [["code", "text"]])
            #expect(told.message == "what to do")
            #expect(told.mend == "what its owner can do")
        }
    }

    @Test("every kind that Rust knows is a case here, and keeps its code")
    func everyKind() {
        let kinds = interceptionKinds().map(InterceptionReport.Kind.init)
        #expect(kinds == InterceptionReport.Kind.allCases)
        #expect(interceptionKinds() == InterceptionReport.Kind.allCases.map(\.code))
    }

    @Test(
        "a report in words of a later version is none",
        arguments: [("from_the_future", "likely"), ("expired", "from_the_future")])
    func unknownReport(kind: String, confidence: String) {
        let interception = Interception(
            kind: kind, confidence: confidence, product: nil, authority: nil, evidence: [],
            mend: nil, message: "what to do")
        #expect(error("pin_mismatch", interception: interception).interception == nil)
    }

    func refusesCertificate(_ code: String) -> Bool {
        code.hasPrefix("certificate_")
            || ["blocked_key", "pin_mismatch", "pin_set_lapsed"].contains(code)
    }

    @Test("what is thrown that is no failure is a bug of ours and nothing else")
    func bugs() {
        struct Odd: Error {}
        #expect(PinfoldError(thrown: Odd()).code == "internal")
        #expect(PinfoldError(thrown: error("truncated")).code == "truncated")
    }
}
