import Foundation
internal import PinfoldBindings

/// The answer to a request, its body decoded and complete.
public struct Response: Hashable, Sendable {
    /// The status code. Every code is a response; none is an error.
    public let status: Int
    /// Where it came from: the URL of the last redirect followed.
    public let url: String
    /// The headers in the order received, names in lower case, values in UTF-8 with U+FFFD for what
    /// is not.
    public let headers: [Header]
    /// The body's bytes, after gzip.
    public let body: Data
    /// What was decided about the connection's certificate.
    public let pinning: Pinning

    /// The body's characters, with U+FFFD for what is none: by its byte order mark, else by the
    /// charset of its `Content-Type`, else in UTF-8. Known are UTF-8, UTF-16, UTF-32, ISO-8859-1 and
    /// US-ASCII; others are read as UTF-8.
    public var text: String { bodyText(body: body, contentType: header("content-type")) }

    /// The first value of a header.
    ///
    /// - Parameter name: The header's name, in any case.
    /// - Returns: The value, or nothing without such a header.
    public func header(_ name: String) -> String? {
        let name = name.lowercased()
        return headers.first { $0.name == name }?.value
    }
}

/// What was decided about the certificate of a connection that was used.
public enum Pinning: Hashable, Sendable {
    /// A pin matched: `pin` of the entry `rule`, found at `at`.
    case matched(rule: String, pin: String, at: PinAt, state: PinState)
    /// No pin matched, and the entry only reports (``Mode/reportOnly``): the error that
    /// ``Mode/enforce`` would have been, always ``PinfoldError/pinMismatch(_:message:)``.
    case reportOnly(PinfoldError)
    /// No pin matched, but an authority has issued the certificate that both the signed pin set and
    /// the device's management let inspect the connection
    /// (``PinSetUpdater/Configuration/managedConfiguration``): its `id`, and the error that the
    /// mismatch is otherwise.
    case inspected(rule: String, authority: String, mismatch: PinfoldError)
    /// The entry `rule` switches pinning off (``Mode/off``).
    case off(rule: String)
    /// The entry `rule` has expired (``HostPolicy/expires``).
    case lapsed(rule: String)
    /// The pin set says nothing about the host, and the client allows that
    /// (``PinnedClient/Configuration/denyUnpinned``).
    case notPinned
}

extension Response {
    init(_ response: PinfoldBindings.Response) {
        status = Int(response.head.status)
        url = response.head.url
        headers = response.head.headers.map { Header($0.name, $0.value) }
        body = response.body
        pinning = Pinning(response.head.pinning)
    }
}

extension Pinning {
    init(_ pinning: PinfoldBindings.Pinning) {
        self =
            switch pinning {
            case .matched(let rule, let pin, let at, let state):
                .matched(rule: rule, pin: pin, at: PinAt(at), state: PinState(state))
            case .reportOnly(let mismatch): .reportOnly(PinfoldError(mismatch))
            case .inspected(let rule, let authority, let mismatch):
                .inspected(rule: rule, authority: authority, mismatch: PinfoldError(mismatch))
            case .off(let rule): .off(rule: rule)
            case .lapsed(let rule): .lapsed(rule: rule)
            case .notPinned: .notPinned
            }
    }
}
