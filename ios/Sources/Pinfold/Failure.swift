internal import PinfoldBindings

extension PinfoldError {
    /// The error that Rust's failure is, by its code.
    init(_ failure: Failure) {
        let message = failure.message
        let host = failure.host ?? ""
        let place = failure.place ?? ""
        let facts = CertificateFacts(failure)
        self =
            switch failure.code {
            case "blocked_key": .blockedKey(facts, message: message)
            case "cancelled": .cancelled(message: message)
            case "certificate_expired": .untrusted(.expired, facts, message: message)
            case "certificate_invalid": .untrusted(.invalid, facts, message: message)
            case "certificate_not_yet_valid": .untrusted(.notYetValid, facts, message: message)
            case "certificate_revoked": .untrusted(.revoked, facts, message: message)
            case "certificate_unknown_issuer": .untrusted(.unknownIssuer, facts, message: message)
            case "certificate_unverified": .untrusted(.unverified, facts, message: message)
            case "certificate_wrong_host": .untrusted(.wrongHost, facts, message: message)
            case "client_certificate_refused":
                .clientCertificateRefused(host: host, message: message)
            case "client_closed": .clientClosed(message: message)
            case "connect_failed": .connectFailed(host: host, message: message)
            case "connection_lost": .connectionLost(host: host, message: message)
            case "digest_mismatch": .digestMismatch(host: host, message: message)
            case "dns_failed": .dnsFailed(host: host, message: message)
            case "host_not_pinned": .hostNotPinned(host: host, message: message)
            case "insecure_redirect": .insecureRedirect(host: host, message: message)
            case "internal": .internal(message: message)
            case "invalid_certificate": .invalidCertificate(place: place, message: message)
            case "invalid_config": .invalidConfig(place: place, message: message)
            case "invalid_pin_set": .invalidPinSet(place: place, message: message)
            case "invalid_request": .invalidRequest(place: place, message: message)
            case "invalid_response": .invalidResponse(host: host, message: message)
            case "invalid_url": .invalidURL(url: place, message: message)
            case "io_failed": .ioFailed(place: place, message: message)
            case "offline": .offline(host: host, message: message)
            case "pin_mismatch": .pinMismatch(facts, message: message)
            case "pin_set_lapsed": .pinSetLapsed(facts, message: message)
            case "proxy_auth_required":
                .proxyAuthRequired(host: host, proxy: failure.proxy ?? "", message: message)
            case "proxy_failed":
                .proxyFailed(host: host, proxy: failure.proxy, message: message)
            case "proxy_refused":
                .proxyRefused(
                    host: host, proxy: failure.proxy ?? "",
                    status: Int(failure.proxyStatus ?? 0), message: message)
            case "response_too_large": .responseTooLarge(host: host, message: message)
            case "timeout_connect": .timeout(.connect, host: host, message: message)
            case "timeout_first_byte": .timeout(.firstByte, host: host, message: message)
            case "timeout_lookup": .timeout(.lookup, host: host, message: message)
            case "timeout_queue": .timeout(.queue, host: host, message: message)
            case "timeout_read": .timeout(.read, host: host, message: message)
            case "timeout_tls": .timeout(.tls, host: host, message: message)
            case "timeout_total": .timeout(.total, host: host, message: message)
            case "timeout_trust": .timeout(.trust, host: host, message: message)
            case "tls_failed":
                .tlsFailed(host: host, interception: facts.interception, message: message)
            case "too_many_redirects": .tooManyRedirects(host: host, message: message)
            case "truncated": .truncated(host: host, message: message)
            // Not of this set: a test sees to it that no code of the library comes here.
            default: .internal(message: "unknown code \(failure.code): \(message)")
            }
    }

    /// The error for whatever the generated code throws: a failure, or a panic caught in Rust.
    init(thrown error: any Error) {
        switch error {
        case let error as PinfoldError: self = error
        case PinfoldFailure.Failed(let failure): self.init(failure)
        default: self = .internal(message: "a bug in Pinfold: \(error.localizedDescription)")
        }
    }

    /// What `work` returns, with errors as ours.
    static func translating<T>(_ work: () throws -> T) throws(PinfoldError) -> T {
        do {
            return try work()
        } catch {
            throw PinfoldError(thrown: error)
        }
    }
}
