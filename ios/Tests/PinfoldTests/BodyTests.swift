import Foundation
import Pinfold
import Testing

/// Bodies that are pulled, pushed and saved.
struct BodyTests {
    let kit: Testkit

    init() async throws {
        kit = try await Testkit()
    }

    func get(_ path: String) -> Request {
        Request(.get, "https://api.example.test\(path)")
    }

    @Test(
        "a body is pulled piece by piece",
        arguments: ["/bytes/300000", "/chunked/300000", "/gzip/300000"])
    func pulled(path: String) async throws {
        let client = try kit.client()
        let response = try await client.stream(get(path))
        #expect(response.status == 200)
        #expect(response.body.length == (path == "/bytes/300000" ? 300_000 : nil))
        var body = Data()
        for try await piece in response.body {
            #expect(piece.count <= 64 * 1024)
            body.append(piece)
        }
        #expect(body == (path.hasPrefix("/gzip") ? Data(count: 300_000) : letters(300_000)))
        #expect(try await response.body.read() == nil)
        #expect(try await client.get("https://api.example.test/").text == "ok")
        #expect(try await kit.events("backend").filter { $0.event == "accepted" }.count == 1)
    }

    @Test("a body that nobody holds any more closes its connection")
    func left() async throws {
        let client = try kit.client()
        do {
            let response = try await client.stream(get("/endless"))
            #expect(try await response.body.read(max: 1_000)?.isEmpty == false)
        }
        _ = try await kit.wait("backend", for: "closed")
    }

    @Test("cancelling the task ends a body that is being pulled")
    func cancelled() async throws {
        let client = try kit.client()
        let response = try await client.stream(get("/hang-body"))
        let reading = Task { for try await _ in response.body {} }
        reading.cancel()
        await #expect(throws: CancellationError.self) { try await reading.value }
        _ = try await kit.wait("backend", for: "closed")
    }

    @Test("a body that breaks off or is too large is an error")
    func broken() async throws {
        let client = try kit.client()
        for (path, code) in [("/short", "truncated"), ("/bomb", "response_too_large")] {
            var request = get(path)
            request.maxResponseBytes = 1_000_000
            let response = try await client.stream(request)
            let error = try await failure { for try await _ in response.body {} }
            #expect(error.code == code)
        }
    }

    @Test("files and sequences are sent with progress")
    func uploads() async throws {
        let client = try kit.client()
        let sent = letters(300_000)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try sent.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let bodies: [(RequestBody, UInt64?)] = [
            (.file(file), 300_000),
            (.stream(pieces(sent)), nil),
            (.stream(pieces(sent), length: 300_000), 300_000),
        ]
        for (body, total) in bodies {
            let last = Last()
            let request = Request(.post, "https://api.example.test/echo")
            let response = try await client.send(request, body: body) { last.set($0) }
            #expect(try Echo(response).body_base64 == sent)
            #expect(last.value?.done == 300_000 && last.value?.total == total)
        }
        let missing = URL(fileURLWithPath: "/no/such/file")
        let error = try await failure {
            try await client.send(Request(.post, "https://api.example.test/"), body: .file(missing))
        }
        #expect(error.code == "io_failed" && error.place == "body")
    }

    @Test("a form has files and what sequences give")
    func form() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try Data("JPEG".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let body = RequestBody.multipart([
            .text("caption", "Käse"),
            .stream("one", pieces(Data("abc".utf8)), length: 3),
            .file("photo", file, fileName: "cat \"1\".jpg", contentType: "image/jpeg"),
            .stream("two", pieces(Data("defg".utf8))),
            .data("raw", Data("A".utf8)),
        ])
        let request = Request(.post, "https://api.example.test/echo")
        let echo = try Echo(await kit.client().send(request, body: body))
        let text = String(decoding: echo.body_base64, as: UTF8.self)
        for part in [
            "name=\"caption\"\r\n\r\nKäse\r\n",
            "name=\"one\"\r\n\r\nabc\r\n",
            "filename=\"cat %221%22.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nJPEG\r\n",
            "name=\"two\"\r\n\r\ndefg\r\n",
            "name=\"raw\"\r\n\r\nA\r\n",
        ] {
            #expect(text.contains(part))
        }
    }

    @Test("what a sequence throws is thrown, and the server sees no whole body")
    func failing() async throws {
        struct CameraIsOff: Error {}
        let pieces = AsyncThrowingStream<Data, any Error> { continuation in
            continuation.yield(Data(count: 100_000))
            continuation.finish(throwing: CameraIsOff())
        }
        let client = try kit.client()
        await #expect(throws: CameraIsOff.self) {
            try await client.send(
                Request(.post, "https://api.example.test/"), body: .stream(pieces))
        }
        _ = try await kit.wait("backend", for: "closed")
        #expect(try await kit.events("backend").filter { $0.event == "request" }.isEmpty)
    }

    @Test("an answer that comes before the end of a body is the answer, and cancelling ends both")
    func early() async throws {
        let client = try kit.client()
        let endless = AsyncStream<Data>(unfolding: { Data(count: 10_000) })
        let early = try await client.send(
            Request(.post, "https://api.example.test/early-413"), body: .stream(endless))
        #expect(early.status == 413)
        let silent = AsyncStream<Data> { _ in }
        let task = Task {
            try await client.send(
                Request(.post, "https://api.example.test/"), body: .stream(silent))
        }
        _ = try await kit.wait("backend", for: "accepted", count: 2)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("a file is downloaded whole, with progress and its digest")
    func download() async throws {
        let client = try kit.client()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        let last = Last()
        let response = try await client.download(get("/bytes/300000"), to: file) { last.set($0) }
        #expect(response.status == 200 && response.body.isEmpty)
        #expect(try Data(contentsOf: file) == letters(300_000))
        #expect(last.value?.done == 300_000 && last.value?.total == 300_000)
        let digest = String(repeating: "0", count: 64)
        let error = try await failure {
            try await client.download(get("/bytes/9"), to: file, sha256: digest)
        }
        #expect(error.code == "digest_mismatch")
        #expect(try Data(contentsOf: file) == letters(300_000))
        #expect(try await client.download(get("/status/404"), to: file).status == 404)
    }

    private func pieces(_ data: Data) -> AsyncStream<Data> {
        AsyncStream { continuation in
            var left = data
            while !left.isEmpty {
                continuation.yield(left.prefix(7_777))
                left = left.dropFirst(7_777)
            }
            continuation.finish()
        }
    }
}

/// What was told last.
private final class Last: @unchecked Sendable {
    private let lock = NSLock()
    private var told: TransferProgress?

    var value: TransferProgress? { lock.withLock { told } }

    func set(_ progress: TransferProgress) {
        lock.withLock { told = progress }
    }
}
