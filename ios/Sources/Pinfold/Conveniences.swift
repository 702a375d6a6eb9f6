import Foundation

extension PinnedClient {
    /// Sends a GET request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func get(_ url: String, headers: [Header] = []) async throws -> Response {
        try await send(Request(.get, url, headers: headers))
    }

    /// Sends a GET request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func get(_ url: URL, headers: [Header] = []) async throws -> Response {
        try await send(Request(.get, url, headers: headers))
    }

    /// Sends a HEAD request: the headers of a GET without its body.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func head(_ url: String, headers: [Header] = []) async throws -> Response {
        try await send(Request(.head, url, headers: headers))
    }

    /// Sends a HEAD request: the headers of a GET without its body.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func head(_ url: URL, headers: [Header] = []) async throws -> Response {
        try await send(Request(.head, url, headers: headers))
    }

    /// Sends a POST request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    ///   - body: The body, if any.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func post(
        _ url: String,
        headers: [Header] = [],
        body: Data? = nil
    ) async throws -> Response {
        try await send(Request(.post, url, headers: headers, body: body))
    }

    /// Sends a POST request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    ///   - body: The body, if any.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func post(
        _ url: URL,
        headers: [Header] = [],
        body: Data? = nil
    ) async throws -> Response {
        try await send(Request(.post, url, headers: headers, body: body))
    }

    /// Sends a PUT request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    ///   - body: The body, if any.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func put(
        _ url: String,
        headers: [Header] = [],
        body: Data? = nil
    ) async throws -> Response {
        try await send(Request(.put, url, headers: headers, body: body))
    }

    /// Sends a PUT request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    ///   - body: The body, if any.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func put(
        _ url: URL,
        headers: [Header] = [],
        body: Data? = nil
    ) async throws -> Response {
        try await send(Request(.put, url, headers: headers, body: body))
    }

    /// Sends a PATCH request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    ///   - body: The body, if any.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func patch(
        _ url: String,
        headers: [Header] = [],
        body: Data? = nil
    ) async throws -> Response {
        try await send(Request(.patch, url, headers: headers, body: body))
    }

    /// Sends a PATCH request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    ///   - body: The body, if any.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func patch(
        _ url: URL,
        headers: [Header] = [],
        body: Data? = nil
    ) async throws -> Response {
        try await send(Request(.patch, url, headers: headers, body: body))
    }

    /// Sends a DELETE request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    ///   - body: The body, if any.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func delete(
        _ url: String,
        headers: [Header] = [],
        body: Data? = nil
    ) async throws -> Response {
        try await send(Request(.delete, url, headers: headers, body: body))
    }

    /// Sends a DELETE request.
    ///
    /// - Parameters:
    ///   - url: The URL: absolute, `https`, without credentials.
    ///   - headers: The headers.
    ///   - body: The body, if any.
    /// - Returns: The response, whatever its status.
    /// - Throws: As ``send(_:)``.
    public func delete(
        _ url: URL,
        headers: [Header] = [],
        body: Data? = nil
    ) async throws -> Response {
        try await send(Request(.delete, url, headers: headers, body: body))
    }
}
