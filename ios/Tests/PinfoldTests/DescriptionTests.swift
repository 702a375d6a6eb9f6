import Foundation
import Pinfold
import Testing

/// Requests and responses end up in logs; what may be secret must not.
struct DescriptionTests {
    /// Every way in which Swift turns a value into text.
    func texts<T>(_ value: T) -> [String] {
        var dumped = ""
        dump(value, to: &dumped)
        return ["\(value)", String(reflecting: value), "\([value])", "\(value as T?)", dumped]
    }

    let request = Request(
        .post,
        "https://user:s3cret@api.example.com/path?token=s3cret#s3cret",
        headers: [Header("Authorization", "s3cret", sensitive: true)],
        body: Data("s3cret".utf8)
    )

    @Test("a request shows its method, its path and the names of its headers, and no secret")
    func requests() {
        let text = "POST https://api.example.com/path [Authorization] 6 bytes"
        #expect(request.description == text)
        for text in texts(request) + texts(request.headers) {
            #expect(!text.contains("s3cret"), "\(text)")
        }
        #expect(Request(.get, "nonsense").description == "GET nonsense [] no body")
    }

    @Test("a response shows its status, its path and the names of its headers, and no secret")
    func responses() async throws {
        let kit = try await Testkit()
        let response = try await kit.client().post(
            "https://api.example.test/echo?token=s3cret", headers: [Header("X-Key", "s3cret")])
        #expect(response.text.contains("s3cret"))
        #expect(response.description.hasPrefix("200 https://api.example.test/echo ["))
        #expect(response.description.contains("content-type"))
        for text in texts(response) {
            #expect(!text.contains("s3cret") && !text.contains("application/json"), "\(text)")
        }
    }
}
