import Foundation
internal import PinfoldBindings

/// A header of a request or a response.
public struct Header: Hashable, Sendable {
    /// The name; in lower case in responses.
    public var name: String
    /// The value.
    public var value: String
    /// Whether it stays behind when a redirect leads to another origin; false in responses.
    public var isSensitive: Bool

    /// A header. It is checked when the request is sent.
    ///
    /// - Parameters:
    ///   - name: The name, in any case.
    ///   - value: The value: visible ASCII characters, spaces and tabs.
    ///   - sensitive: Whether it stays behind when a redirect leads to another origin.
    ///     `Authorization` and `Cookie` do so by themselves.
    public init(_ name: String, _ value: String, sensitive: Bool = false) {
        self.name = name
        self.value = value
        isSensitive = sensitive
    }
}

/// One HTTP request.
///
/// ```swift
/// var request = Request(.post, "https://api.example.com/v1/orders")
/// request.headers = [
///     Header("Content-Type", "application/json"),
///     Header("X-Api-Key", key, sensitive: true),
/// ]
/// request.body = Data(#"{"item":7}"#.utf8)
/// let response = try await client.send(request)
/// ```
///
/// It is checked when it is sent: a part that cannot be is
/// ``PinfoldError/invalidURL(url:message:)`` or ``PinfoldError/invalidRequest(place:message:)``,
/// and nothing leaves the device.
public struct Request: Hashable, Sendable {
    /// An HTTP method (RFC 9110 §9, RFC 5789): one of those below, or any other token, such as
    /// `"PROPFIND"`. Methods are case-sensitive. `CONNECT` is none that an app can send.
    public struct Method: RawRepresentable, ExpressibleByStringLiteral, Hashable, Sendable {
        /// As it is written in a request.
        public let rawValue: String

        /// A method, checked when it is sent.
        ///
        /// - Parameter rawValue: As it is written in a request.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A method, checked when it is sent.
        ///
        /// - Parameter value: As it is written in a request.
        public init(stringLiteral value: String) { rawValue = value }

        /// `DELETE`
        public static let delete: Method = "DELETE"
        /// `GET`
        public static let get: Method = "GET"
        /// `HEAD`
        public static let head: Method = "HEAD"
        /// `OPTIONS`
        public static let options: Method = "OPTIONS"
        /// `PATCH`
        public static let patch: Method = "PATCH"
        /// `POST`
        public static let post: Method = "POST"
        /// `PUT`
        public static let put: Method = "PUT"
    }

    /// The method.
    public var method: Method
    /// The URL: `https`, without credentials, at most 8 KiB; absolute, or relative to
    /// ``PinnedClient/Configuration/baseURL``.
    public var url: String
    /// The headers, at most 16 KiB together. Those that frame the message, such as `Host` and
    /// `Content-Length`, are set by the client.
    public var headers: [Header]
    /// The body, sent as it is with its length; GET, HEAD and TRACE take none (RFC 9110 §9.3).
    public var body: Data?
    /// How long the whole call may take, in seconds, where not as long as
    /// ``PinnedClient/Configuration/timeout``.
    public var timeout: TimeInterval?
    /// How long the next bytes of the answer may take, in seconds, where not as long as
    /// ``PinnedClient/Configuration/readTimeout``; 0 for as long as they take, as a long poll or a
    /// slow report wants it.
    public var readTimeout: TimeInterval?
    /// The largest body accepted, decoded, where not ``PinnedClient/Configuration/maxResponseBytes``. A
    /// body that is pulled or downloaded has no other limit.
    public var maxResponseBytes: Int?
    /// How many redirects are followed, up to 50, where not
    /// ``PinnedClient/Configuration/maxRedirects``. With 0 a redirect is a response like others.
    public var maxRedirects: Int?

    /// A request to a URL in text form.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - url: The URL: absolute, `https`, without credentials, at most 8 KiB.
    ///   - headers: The headers.
    ///   - body: The body; GET and HEAD take none.
    ///   - timeout: How long the whole call may take, in seconds.
    public init(
        _ method: Method,
        _ url: String,
        headers: [Header] = [],
        body: Data? = nil,
        timeout: TimeInterval? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }

    /// A request to a URL.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - url: The URL: absolute, `https`, without credentials, at most 8 KiB.
    ///   - headers: The headers.
    ///   - body: The body; GET and HEAD take none.
    ///   - timeout: How long the whole call may take, in seconds.
    public init(
        _ method: Method,
        _ url: URL,
        headers: [Header] = [],
        body: Data? = nil,
        timeout: TimeInterval? = nil
    ) {
        self.init(method, url.absoluteString, headers: headers, body: body, timeout: timeout)
    }
}

extension Header {
    var bindings: PinfoldBindings.Header { .init(name: name, value: value, sensitive: isSensitive) }
}

extension Request {
    /// Sets a header, in the place of those of this name.
    ///
    /// - Parameters:
    ///   - name: The name, in any case.
    ///   - value: The value: visible ASCII characters, spaces and tabs.
    ///   - sensitive: Whether it stays behind when a redirect leads to another origin.
    ///     `Authorization` and `Cookie` do so by themselves.
    public mutating func header(_ name: String, _ value: String, sensitive: Bool = false) {
        let known = name.lowercased()
        headers.removeAll { $0.name.lowercased() == known }
        addHeader(name, value, sensitive: sensitive)
    }

    /// Adds a header beside those of this name, for fields that are lists (RFC 9110 §5.3).
    ///
    /// - Parameters:
    ///   - name: The name, in any case.
    ///   - value: The value: visible ASCII characters, spaces and tabs.
    ///   - sensitive: Whether it stays behind when a redirect leads to another origin.
    public mutating func addHeader(_ name: String, _ value: String, sensitive: Bool = false) {
        headers.append(Header(name, value, sensitive: sensitive))
    }

    /// All but the body, as it crosses into Rust; with `streamed` in the place of its own.
    func head(_ streamed: RequestBody? = nil) throws(PinfoldError) -> RequestHead {
        func fail(_ place: String, _ reason: String) -> PinfoldError {
            .invalidRequest(place: place, message: "request, \(place): \(reason)")
        }
        var timeoutMs: UInt64?
        if let timeout {
            timeoutMs = Crossing.milliseconds(timeout)
            if timeoutMs == nil { throw fail("timeout", "not a number of seconds") }
        }
        var readTimeoutMs: UInt64?
        if let readTimeout {
            readTimeoutMs = Crossing.milliseconds(readTimeout)
            if readTimeoutMs == nil { throw fail("read_timeout", "not a number of seconds") }
        }
        guard streamed == nil || body == nil else {
            throw fail("body", "the request has one of its own")
        }
        var limit: UInt64?
        if let maxResponseBytes {
            limit = UInt64(exactly: maxResponseBytes)
            if limit == nil { throw fail("max_response_bytes", "negative") }
        }
        var redirects: UInt32?
        if let maxRedirects {
            redirects = UInt32(exactly: maxRedirects)
            if redirects == nil { throw fail("max_redirects", "not between 0 and 50") }
        }
        guard Crossing.allows(body?.count ?? 0) else {
            throw fail("body", "larger than \(Crossing.maxBytes) bytes")
        }
        let sizes = headers.map { $0.name.utf8.count + $0.value.utf8.count }
        guard Crossing.allows(sizes.reduce(url.utf8.count, +)) else {
            throw fail("headers", "larger than \(Crossing.maxBytes) bytes together with the URL")
        }
        return RequestHead(
            method: method.rawValue,
            url: url,
            headers: headers.map(\.bindings),
            timeoutMs: timeoutMs,
            readTimeoutMs: readTimeoutMs,
            maxResponseBytes: limit,
            maxRedirects: redirects,
            body: streamed?.kind ?? (body == nil ? .nothing : .bytes)
        )
    }
}
