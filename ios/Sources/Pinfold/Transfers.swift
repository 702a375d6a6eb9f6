import Foundation
internal import PinfoldBindings

extension PinnedClient {
    /// Sends a request with a body that is read while it is sent, and waits for the whole response.
    ///
    /// - Parameters:
    ///   - request: The request; it has no body of its own.
    ///   - body: What is sent.
    ///   - onUpload: Told several times a second, and at the end, how much has been sent. After a
    ///     redirect it begins again.
    /// - Returns: The response, whatever its status.
    /// - Throws: ``PinfoldError``, what the sequence of a body throws, or `CancellationError` if the
    ///   task is cancelled.
    public func send(
        _ request: Request,
        body: RequestBody,
        onUpload: (@Sendable (TransferProgress) -> Void)? = nil
    ) async throws -> Response {
        try await logged(request.method, { Log.Line(request.method, $0) }) {
            let head = try request.head(body)
            return try await self.call { call in
                try call.prepare(body)
                return try await call.watched(onUpload, TransferProgress.sent) {
                    try await call.writing(body) {
                        Response(
                            try await self.client.execute(head: head, body: Data(), call: call))
                    }
                }
            }
        }
    }

    /// Sends a request and waits for the head of its response, whose body is pulled.
    ///
    /// ``Configuration/timeout`` holds until the head is there, ``Configuration/readTimeout`` for every
    /// piece; ``Configuration/maxResponseBytes`` is for bodies in memory. What the request says itself
    /// holds for all of it.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - body: What is sent, where it is not ``Request/body``.
    ///   - onUpload: Told how much has been sent.
    /// - Returns: The response with its body to be pulled.
    /// - Throws: As ``send(_:body:onUpload:)``.
    public func stream(
        _ request: Request,
        body: RequestBody? = nil,
        onUpload: (@Sendable (TransferProgress) -> Void)? = nil
    ) async throws -> StreamingResponse {
        try await logged(request.method, { Log.Line(request.method, $0) }) {
            let head = try request.head(body)
            let bytes = request.body ?? Data()
            return try await self.call { call in
                try call.prepare(body)
                return try await call.watched(onUpload, TransferProgress.sent) {
                    try await call.writing(body) {
                        let opened = try await self.client.open(
                            head: head, body: bytes, call: call)
                        return StreamingResponse(opened, call)
                    }
                }
            }
        }
    }

    /// Downloads what a request, a GET, asks for to a file. It appears under its name when it is whole,
    /// and never before. If the connection breaks the download goes on from there, at once and also
    /// when it is called for again later, where the server tells its versions apart for certain (a
    /// strong `ETag`, or `Last-Modified`); else from the beginning.
    ///
    /// ``Configuration/timeout`` and ``Configuration/maxResponseBytes`` do not hold, the request's own
    /// do.
    ///
    /// ```swift
    /// let request = Request(.get, "https://cdn.example.com/maps/berlin.bin")
    /// try await client.download(request, to: file) { progress in print(progress.done) }
    /// ```
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - file: The file's URL.
    ///   - sha256: The SHA-256 that the file must have, in hexadecimal digits.
    ///   - onProgress: Told several times a second, and at the end, how much of it is there.
    /// - Returns: A response with status 200, or 206 where it was gone on with, and no body; for every
    ///   other status there is no file, and its body is in the response.
    /// - Throws: ``PinfoldError/ioFailed(place:message:)`` where the file cannot be written, or another
    ///   call is at it; ``PinfoldError/digestMismatch(host:message:)``; and as ``send(_:)``.
    @discardableResult
    public func download(
        _ request: Request,
        to file: URL,
        sha256: String? = nil,
        onProgress: (@Sendable (TransferProgress) -> Void)? = nil
    ) async throws -> Response {
        try await logged(request.method, { Log.Line(request.method, $0) }) {
            let head = try request.head()
            let target = DownloadTarget(path: file.path, sha256: sha256)
            return try await self.call { call in
                try await call.watched(onProgress, TransferProgress.received) {
                    Response(
                        try await self.client.download(head: head, target: target, call: call))
                }
            }
        }
    }

    /// `work` with a call that the task's cancellation ends.
    func call<T: Sendable>(_ work: @Sendable (Call) async throws -> T) async throws -> T {
        try Task.checkCancellation()
        let call = Call()
        do {
            return try await withTaskCancellationHandler {
                try await work(call)
            } onCancel: {
                call.cancel()
            }
        } catch {
            throw Self.thrown(error)
        }
    }

    /// What callers see of an error: what an app's own sequence has thrown stays as it is.
    static func thrown(_ error: any Error) -> any Error {
        guard error is PinfoldFailure || error is PinfoldError else { return error }
        let error = PinfoldError(thrown: error)
        // Only this task's cancellation has that code.
        if case .cancelled = error { return CancellationError() }
        return error
    }
}
