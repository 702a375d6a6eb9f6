import Foundation

/// Why something failed.
///
/// Every error has a stable ``code`` which is the same in all languages, and a message for logs,
/// which never holds a request's body, header values or query. A case exists only where an app, or
/// the person it asks for help, acts differently on it:
///
/// ```swift
/// do {
///     let response = try await client.get("https://api.example.com/v1/status")
///     show(response.text)
/// } catch PinfoldError.pinMismatch(let facts, _) {
///     report("intercepted by \(facts.issuer ?? "somebody")")
/// } catch PinfoldError.untrusted(.notYetValid, _, _) {
///     show("Is the date of this device right?")
/// }
/// ```
///
/// A later version may have more cases, so a `switch` needs a `default`.
public enum PinfoldError: Error, Hashable, Sendable {
    /// The pin set blocks a key on every path that makes the certificate trusted, whatever its
    /// pins and its mode say. Nothing of the request was sent.
    case blockedKey(CertificateFacts, message: String)
    /// The call was cancelled. ``PinnedClient`` throws `CancellationError` instead, as Swift's
    /// concurrency has it; this is here for the sake of the code `cancelled`.
    case cancelled(message: String)
    /// The server wants a certificate of the app's and got none, or does not accept the one it got; see
    /// ``PinnedClient/setIdentity(_:for:)``.
    case clientCertificateRefused(host: String, message: String)
    /// The client was closed before or during the request.
    case clientClosed(message: String)
    /// No address of the host accepted a TCP connection.
    case connectFailed(host: String, message: String)
    /// The connection broke before the response was complete.
    case connectionLost(host: String, message: String)
    /// What was downloaded has not the SHA-256 that was expected; nothing of it is kept.
    case digestMismatch(host: String, message: String)
    /// The host's name could not be resolved.
    case dnsFailed(host: String, message: String)
    /// The pin set has no entry for the host, and the client refuses such hosts:
    /// ``PinnedClient/Configuration/denyUnpinned``.
    case hostNotPinned(host: String, message: String)
    /// The server redirected to something that is not HTTPS.
    case insecureRedirect(host: String, message: String)
    /// A bug in Pinfold, caught before it could do harm. Please report it.
    case `internal`(message: String)
    /// A certificate that was handed over is not one; `place` says which, such as `roots[2]`.
    case invalidCertificate(place: String, message: String)
    /// A setting is out of range; `place` names it as in every language, such as
    /// `connect_timeout`.
    case invalidConfig(place: String, message: String)
    /// A pin set was refused as a whole; the one in use, if any, stays. `place` is such as
    /// `hosts[0].pins[1].sha256`.
    case invalidPinSet(place: String, message: String)
    /// A request was refused before anything was sent; `place` says which part, such as
    /// `header "Accept"`.
    case invalidRequest(place: String, message: String)
    /// The server's answer is not HTTP, or its body does not decode.
    case invalidResponse(host: String, message: String)
    /// The URL cannot be requested; `url` is without credentials, query and fragment, shortened.
    case invalidURL(url: String, message: String)
    /// The app's own side failed: a file could not be read or written, or whoever gives a body could
    /// not, or who signs for a ``ClientIdentity``. `place` is `body`, `file` or `client_certificate`.
    case ioFailed(place: String, message: String)
    /// The device has no network: there is no route to any public address.
    case offline(host: String, message: String)
    /// The certificate is trusted, but no pin of the host's policy is on its verified path. Nothing
    /// of the request was sent.
    case pinMismatch(CertificateFacts, message: String)
    /// The host's entry has lapsed, because the pin set was not renewed in time, and the app has
    /// consented that nothing is allowed then. The certificate itself is trusted.
    case pinSetLapsed(CertificateFacts, message: String)
    /// A proxy wants to know who the client is, or does not know who it says it is. `proxy` is its URL,
    /// without user and password.
    case proxyAuthRequired(host: String, proxy: String, message: String)
    /// The proxy cannot be used: it is not found, cannot be reached, or does not do what a proxy does; or
    /// nobody can say which it is, and `proxy` is none.
    case proxyFailed(host: String, proxy: String?, message: String)
    /// The proxy will not, or cannot, connect to the host. `status` is its answer: a status of HTTP, or a
    /// reply of SOCKS (1 to 8, RFC 1928 §6).
    case proxyRefused(host: String, proxy: String, status: Int, message: String)
    /// The body, after gzip, is larger than ``PinnedClient/Configuration/maxResponseBytes``.
    case responseTooLarge(host: String, message: String)
    /// Time ran out.
    case timeout(TimeoutPhase, host: String, message: String)
    /// The TLS handshake failed for a reason other than the certificate. `interception` is there
    /// where the answer was HTTP in the clear.
    case tlsFailed(host: String, interception: InterceptionReport?, message: String)
    /// More redirects than ``PinnedClient/Configuration/maxRedirects``.
    case tooManyRedirects(host: String, message: String)
    /// The body ended early: fewer bytes than announced, or no TLS `close_notify`
    /// (RFC 8446 §6.1).
    case truncated(host: String, message: String)
    /// The certificate is not trusted; pins were not even asked. Nothing of the request was sent.
    case untrusted(UntrustedReason, CertificateFacts, message: String)
}

/// Which timeout ran out.
public enum TimeoutPhase: Hashable, Sendable {
    /// Name lookup, TCP and TLS together: ``PinnedClient/Configuration/connectTimeout``.
    case connect
    /// The first byte of the answer: ``PinnedClient/Configuration/firstByteTimeout``.
    case firstByte
    /// Name lookup alone: ``PinnedClient/Configuration/lookupTimeout``.
    case lookup
    /// The wait for the request's turn: ``PinnedClient/Configuration/queueTimeout``.
    case queue
    /// The TLS handshake with one address: ``PinnedClient/Configuration/tlsTimeout``.
    case tls
    /// The next bytes of the answer: ``PinnedClient/Configuration/readTimeout`` or
    /// ``Request/readTimeout``.
    case read
    /// The whole call, with redirects and the body: ``PinnedClient/Configuration/timeout`` or
    /// ``Request/timeout``.
    case total
    /// The system's judgement of the certificate: 8 seconds, whatever the others are.
    case trust
}

/// Why a certificate is not trusted; the raw value is the error's code without `certificate_`.
public enum UntrustedReason: String, CaseIterable, Sendable {
    /// Its validity has ended, or the device's clock is ahead.
    case expired
    /// It, or every path from it to an authority, is unusable; the message says how.
    case invalid
    /// Its validity has not begun, or the device's clock is behind.
    case notYetValid = "not_yet_valid"
    /// Its authority has revoked it.
    case revoked
    /// No trusted authority vouches for it.
    case unknownIssuer = "unknown_issuer"
    /// The system could not judge it; the message says why.
    case unverified
    /// It is for another host.
    case wrongHost = "wrong_host"
}

extension PinfoldError {
    /// The stable code: lower case, never renamed, the same in every language.
    public var code: String {
        switch self {
        case .blockedKey: "blocked_key"
        case .cancelled: "cancelled"
        case .clientCertificateRefused: "client_certificate_refused"
        case .clientClosed: "client_closed"
        case .connectFailed: "connect_failed"
        case .connectionLost: "connection_lost"
        case .digestMismatch: "digest_mismatch"
        case .dnsFailed: "dns_failed"
        case .hostNotPinned: "host_not_pinned"
        case .insecureRedirect: "insecure_redirect"
        case .internal: "internal"
        case .invalidCertificate: "invalid_certificate"
        case .invalidConfig: "invalid_config"
        case .invalidPinSet: "invalid_pin_set"
        case .invalidRequest: "invalid_request"
        case .invalidResponse: "invalid_response"
        case .invalidURL: "invalid_url"
        case .ioFailed: "io_failed"
        case .offline: "offline"
        case .pinMismatch: "pin_mismatch"
        case .pinSetLapsed: "pin_set_lapsed"
        case .proxyAuthRequired: "proxy_auth_required"
        case .proxyFailed: "proxy_failed"
        case .proxyRefused: "proxy_refused"
        case .responseTooLarge: "response_too_large"
        case .timeout(.connect, _, _): "timeout_connect"
        case .timeout(.firstByte, _, _): "timeout_first_byte"
        case .timeout(.lookup, _, _): "timeout_lookup"
        case .timeout(.queue, _, _): "timeout_queue"
        case .timeout(.read, _, _): "timeout_read"
        case .timeout(.tls, _, _): "timeout_tls"
        case .timeout(.total, _, _): "timeout_total"
        case .timeout(.trust, _, _): "timeout_trust"
        case .tlsFailed: "tls_failed"
        case .tooManyRedirects: "too_many_redirects"
        case .truncated: "truncated"
        case .untrusted(let reason, _, _): "certificate_\(reason.rawValue)"
        }
    }

    /// What happened, in English, for a log.
    public var message: String {
        switch self {
        case .cancelled(let message), .clientClosed(let message), .internal(let message),
            .blockedKey(_, let message), .clientCertificateRefused(_, let message),
            .connectFailed(_, let message),
            .connectionLost(_, let message), .digestMismatch(_, let message),
            .dnsFailed(_, let message),
            .hostNotPinned(_, let message), .insecureRedirect(_, let message),
            .invalidCertificate(_, let message), .invalidConfig(_, let message),
            .invalidPinSet(_, let message), .invalidRequest(_, let message),
            .invalidResponse(_, let message), .invalidURL(_, let message),
            .ioFailed(_, let message), .offline(_, let message),
            .pinMismatch(_, let message), .pinSetLapsed(_, let message),
            .proxyAuthRequired(_, _, let message), .proxyFailed(_, _, let message),
            .proxyRefused(_, _, _, let message), .responseTooLarge(_, let message),
            .timeout(_, _, let message), .tlsFailed(_, _, let message),
            .tooManyRedirects(_, let message), .truncated(_, let message),
            .untrusted(_, _, let message):
            message
        }
    }

    /// The facts about the refused certificate, where it was one.
    public var certificate: CertificateFacts? {
        switch self {
        case .blockedKey(let facts, _), .pinMismatch(let facts, _), .pinSetLapsed(let facts, _),
            .untrusted(_, let facts, _):
            facts
        default: nil
        }
    }

    /// Who is probably in the middle, where something speaks for anybody: after a mismatch, a
    /// certificate that is not trusted, or an answer that was not TLS.
    public var interception: InterceptionReport? {
        switch self {
        case .tlsFailed(_, let interception, _): interception
        default: certificate?.interception
        }
    }

    /// The host concerned, where there is one.
    public var host: String? {
        switch self {
        case .clientCertificateRefused(let host, _), .connectFailed(let host, _),
            .connectionLost(let host, _),
            .digestMismatch(let host, _), .dnsFailed(let host, _), .offline(let host, _),
            .hostNotPinned(let host, _), .insecureRedirect(let host, _),
            .invalidResponse(let host, _), .proxyAuthRequired(let host, _, _),
            .proxyFailed(let host, _, _), .proxyRefused(let host, _, _, _),
            .responseTooLarge(let host, _),
            .timeout(_, let host, _), .tlsFailed(let host, _, _),
            .tooManyRedirects(let host, _), .truncated(let host, _):
            host
        default: certificate?.host
        }
    }

    /// Where in the caller's input the fault is, where it is there.
    public var place: String? {
        switch self {
        case .invalidCertificate(let place, _), .invalidConfig(let place, _),
            .invalidPinSet(let place, _), .invalidRequest(let place, _),
            .invalidURL(let place, _), .ioFailed(let place, _):
            place
        default: nil
        }
    }
}

extension PinfoldError: LocalizedError {
    /// ``message``, so that `localizedDescription` says something.
    public var errorDescription: String? { message }
}

extension PinfoldError: CustomStringConvertible {
    /// The code and the message.
    public var description: String { "\(code): \(message)" }
}
