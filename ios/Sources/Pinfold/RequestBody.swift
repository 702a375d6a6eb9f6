import Foundation
internal import PinfoldBindings

/// A body that is read while it is sent, in bounded memory.
///
/// ```swift
/// let request = Request(.post, "https://api.example.com/v1/photos")
/// let response = try await client.send(request, body: .file(photo)) { progress in
///     print(progress.done, progress.total ?? 0)
/// }
/// ```
///
/// It may be as large as it likes and take as long as it goes on:
/// ``PinnedClient/Configuration/timeout`` is for bodies in memory, ``Request/timeout`` holds here too.
public struct RequestBody: Sendable {
    let kind: BodyKind
    let parts: [Part]
    /// What is written, in the order in which it is.
    let writers: [Writer]

    typealias Writer = @Sendable (Call) async throws -> Void

    /// A file.
    ///
    /// - Parameter url: Where it is.
    /// - Returns: A body with its length.
    public static func file(_ url: URL) -> RequestBody {
        RequestBody(kind: .file(path: url.path), parts: [], writers: [])
    }

    /// What a sequence gives. It is sent once at most: neither on another connection nor to where a
    /// redirect leads, which is the answer then. What it throws, the request throws.
    ///
    /// - Parameters:
    ///   - pieces: The body, piece by piece.
    ///   - length: How many bytes that are; where it is not known they are sent in chunks.
    /// - Returns: The body.
    public static func stream<Pieces: AsyncSequence & Sendable>(
        _ pieces: Pieces, length: UInt64? = nil
    ) -> RequestBody where Pieces.Element == Data {
        RequestBody(kind: .written(length: length), parts: [], writers: [writer(pieces)])
    }

    /// A form with files (`multipart/form-data`, RFC 7578); its `Content-Type` is set.
    ///
    /// - Parameter parts: Its parts, in order.
    /// - Returns: The body.
    public static func multipart(_ parts: [Part]) -> RequestBody {
        RequestBody(kind: .form, parts: parts, writers: parts.compactMap(\.writer))
    }

    /// One field or file of a form.
    ///
    /// Quotes, backslashes and control characters in names and file names are percent-encoded, as
    /// browsers do it with most of these. A name has 1 to 1,024 bytes.
    public struct Part: Sendable {
        let part: FormPart
        let bytes: Data
        let writer: Writer?

        /// A field.
        public static func text(_ name: String, _ value: String) -> Part {
            data(name, Data(value.utf8))
        }

        /// Bytes; with a `fileName` they are a file to the server.
        public static func data(
            _ name: String, _ bytes: Data, fileName: String? = nil, contentType: String? = nil
        ) -> Part {
            let part = FormPart(
                name: name, fileName: fileName, contentType: contentType, content: .bytes)
            return Part(part: part, bytes: bytes, writer: nil)
        }

        /// A file, read while it is sent. It is called as on disk, or `fileName`.
        public static func file(
            _ name: String, _ url: URL, fileName: String? = nil, contentType: String? = nil
        ) -> Part {
            let part = FormPart(
                name: name, fileName: fileName, contentType: contentType,
                content: .file(path: url.path))
            return Part(part: part, bytes: Data(), writer: nil)
        }

        /// What a sequence gives. Such a form is sent once at most.
        public static func stream<Pieces: AsyncSequence & Sendable>(
            _ name: String, _ pieces: Pieces, length: UInt64? = nil, fileName: String? = nil,
            contentType: String? = nil
        ) -> Part where Pieces.Element == Data {
            let part = FormPart(
                name: name, fileName: fileName, contentType: contentType,
                content: .written(length: length))
            return Part(part: part, bytes: Data(), writer: RequestBody.writer(pieces))
        }
    }

    private static func writer<Pieces: AsyncSequence & Sendable>(_ pieces: Pieces) -> Writer
    where Pieces.Element == Data {
        { call in
            for try await piece in pieces {
                // Nobody wants more once the server has answered.
                guard try await call.write(bytes: piece) else { return }
            }
            _ = try await call.endPart()
        }
    }
}

/// How far a body has come.
public struct TransferProgress: Hashable, Sendable {
    /// How many bytes have been sent or received.
    public let done: UInt64
    /// How many there are, where that is known.
    public let total: UInt64?
}

extension Call {
    /// Hands the parts of a form over.
    func prepare(_ body: RequestBody?) throws {
        guard let body else { return }
        for part in body.parts {
            guard Crossing.allows(part.bytes.count) else {
                throw PinfoldError.invalidRequest(
                    place: "body",
                    message: "request, body: larger than \(Crossing.maxBytes) bytes")
            }
            try addPart(part: part.part, bytes: part.bytes)
        }
        if !body.writers.isEmpty { expectWrites() }
    }

    /// Writes what is to be written while `work` is under way. If that fails, it ends the call, and
    /// its error is the one that counts.
    func writing<T: Sendable>(
        _ body: RequestBody?, _ work: () async throws -> T
    ) async throws -> T {
        guard let body, !body.writers.isEmpty else { return try await work() }
        let pump = Task { () -> (any Error)? in
            do {
                for write in body.writers { try await write(self) }
                return nil
            } catch {
                self.cancel()
                return error
            }
        }
        defer { pump.cancel() }
        do {
            return try await work()
        } catch {
            guard case .cancelled = PinfoldError(thrown: error), !Task.isCancelled else {
                throw error
            }
            throw await pump.value ?? error
        }
    }

    /// Tells `listener` several times a second, and at the end, how far the call has come.
    func watched<T: Sendable>(
        _ listener: (@Sendable (TransferProgress) -> Void)?,
        _ progress: @escaping @Sendable (PinfoldBindings.TransferProgress) -> TransferProgress,
        _ work: () async throws -> T
    ) async throws -> T {
        guard let listener else { return try await work() }
        let watch = Task {
            while true {
                try await Task.sleep(nanoseconds: 100_000_000)
                listener(progress(self.progress()))
            }
        }
        defer { watch.cancel() }
        let result = try await work()
        watch.cancel()
        // A last word that is late would be followed by nothing.
        _ = await watch.result
        listener(progress(self.progress()))
        return result
    }
}

extension TransferProgress {
    static func sent(_ all: PinfoldBindings.TransferProgress) -> TransferProgress {
        TransferProgress(done: all.sent, total: all.toSend)
    }

    static func received(_ all: PinfoldBindings.TransferProgress) -> TransferProgress {
        TransferProgress(done: all.received, total: all.toReceive)
    }
}
