import PinfoldBindings
import Testing

@testable import Pinfold

struct ErrorCodeTests {
    func error(_ code: String) -> PinfoldError {
        PinfoldError(
            Failure(
                code: code, message: "what happened", host: "host", place: "place", rule: "rule",
                presentedPin: "sha256/presented", expectedPins: ["sha256/expected"],
                subject: "subject", issuer: "issuer", pinSetVersion: 1))
    }

    @Test("every code that Rust knows is a case here, and keeps its code and message")
    func everyCode() {
        let codes = errorCodes()
        #expect(codes.count == 27)
        for code in codes {
            let error = error(code)
            #expect(error.code == code)
            // An unknown code would be in the message.
            #expect(error.message == "what happened")
            #expect(error.errorDescription == "what happened")
            #expect("\(error)" == "\(code): what happened")
        }
        #expect(Set(codes.map(error)).count == codes.count)
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
        for code in errorCodes().filter({ $0.hasPrefix("certificate_") || $0 == "pin_mismatch" }) {
            let error = error(code)
            #expect(error.host == "host")
            #expect(error.certificate?.rule == "rule")
            #expect(error.certificate?.presentedPin == "sha256/presented")
            #expect(error.certificate?.expectedPins == ["sha256/expected"])
            #expect(error.certificate?.subject == "subject")
            #expect(error.certificate?.issuer == "issuer")
            #expect(error.certificate?.pinSetVersion == 1)
        }
    }

    @Test("what is thrown that is no failure is a bug of ours and nothing else")
    func bugs() {
        struct Odd: Error {}
        #expect(PinfoldError(thrown: Odd()).code == "internal")
        #expect(PinfoldError(thrown: error("truncated")).code == "truncated")
    }
}
