import Foundation
internal import PinfoldBindings

/// The answer to a request whose body is pulled; see ``PinnedClient/stream(_:body:onUpload:)``.
public struct StreamingResponse: Sendable {
    /// The status code. Every code is a response; none is an error.
    public let status: Int
    /// Where it came from: the URL of the last redirect followed.
    public let url: String
    /// The headers in the order received, names in lower case, values in UTF-8 with U+FFFD for what
    /// is not.
    public let headers: [Header]
    /// What was decided about the connection's certificate.
    public let pinning: Pinning
    /// The body, decoded.
    public let body: ResponseBody

    /// The first value of a header.
    ///
    /// - Parameter name: The header's name, in any case.
    /// - Returns: The value, or nothing without such a header.
    public func header(_ name: String) -> String? {
        let name = name.lowercased()
        return headers.first { $0.name == name }?.value
    }
}

/// The decoded body of a response, pulled piece by piece: what nobody has asked for yet waits at the
/// server, so it needs the same little memory however long it is.
///
/// ```swift
/// let response = try await client.stream(Request(.get, "https://api.example.com/v1/log"))
/// for try await piece in response.body {
///     print(piece.count)
/// }
/// ```
///
/// One task at a time reads it, once. Its connection serves other requests only after it was read to
/// its end; where nobody holds it any more before, it is closed. Cancelling the task that reads ends it
/// at once.
public final class ResponseBody: AsyncSequence, Sendable {
    public typealias Element = Data

    /// How many bytes there are in all, where the server says so and nothing is decoded.
    public let length: UInt64?
    private let call: Call

    init(call: Call, length: UInt64?) {
        self.call = call
        self.length = length
    }

    deinit {
        call.end()
    }

    /// Gives the pieces, each of 64 KiB at most.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(body: self)
    }

    /// Waits for the next bytes.
    ///
    /// - Parameter max: How many they are at most.
    /// - Returns: The bytes, or nothing at the end.
    /// - Throws: ``PinfoldError`` such as ``PinfoldError/truncated(host:message:)``, or
    ///   `CancellationError`.
    public func read(max: Int = 64 * 1024) async throws -> Data? {
        precondition((1...Crossing.maxBytes).contains(max), "a piece has at least one byte")
        if Task.isCancelled { call.cancel() }
        do {
            let piece = try await withTaskCancellationHandler {
                try await call.read(max: UInt32(max))
            } onCancel: {
                call.cancel()
            }
            return piece.isEmpty ? nil : piece
        } catch {
            throw PinnedClient.thrown(error)
        }
    }

    /// Pulls one piece after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let body: ResponseBody

        public mutating func next() async throws -> Data? {
            try await body.read()
        }
    }
}

extension StreamingResponse {
    init(_ opened: Opened, _ call: Call) {
        status = Int(opened.head.status)
        url = opened.head.url
        headers = opened.head.headers.map { Header($0.name, $0.value) }
        pinning = Pinning(opened.head.pinning)
        body = ResponseBody(call: call, length: opened.length)
    }
}
