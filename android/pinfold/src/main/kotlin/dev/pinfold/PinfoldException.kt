package dev.pinfold

import java.io.IOException

/**
 * Why a call failed: one subclass for each thing that an app does differently.
 *
 * No message holds a request's body, header values or query, so it may be logged.
 *
 * ```
 * try {
 *     client.get("https://api.example.com/v1/me")
 * } catch (e: PinfoldException.PinMismatch) {
 *     log("somebody is in the middle: ${e.interception ?: e.certificate}")
 * } catch (e: PinfoldException.Timeout) {
 *     retryLater()
 * }
 * ```
 *
 * @property code The stable code: lower case, never renamed, the same in every language.
 * @property message What happened, for a log; never empty.
 * @property host The host concerned, where there is one.
 * @property place Where in the caller's input the fault is, such as `hosts[0].pins[1].sha256`,
 *   where it is there.
 */
public sealed class PinfoldException(
    public val code: String,
    override val message: String,
    public val host: String? = null,
    public val place: String? = null,
) : IOException(message) {
    /** The facts about the refused certificate, where it was one. */
    public open val certificate: CertificateFacts? get() = null

    /**
     * Who is probably in the middle, where something speaks for anybody: of [CertificateRefused],
     * and of [TlsFailed] where the answer was HTTP in the clear.
     */
    public open val interception: InterceptionReport? get() = null

    /**
     * The caller cancelled by [CancelToken]; never used for anything else. A cancelled coroutine
     * sees `CancellationException` instead.
     */
    public class Cancelled(
        message: String,
    ) : PinfoldException("cancelled", message)

    /**
     * The server wants a certificate of the app's and got none, or does not accept the one it got; see
     * [PinnedClient.setIdentity].
     */
    public class ClientCertificateRefused(
        message: String,
        host: String,
    ) : PinfoldException("client_certificate_refused", message, host)

    /** The client was closed before or during the request. */
    public class ClientClosed(
        message: String,
    ) : PinfoldException("client_closed", message)

    /** No address of the host accepted a TCP connection. */
    public class ConnectFailed(
        message: String,
        host: String,
    ) : PinfoldException("connect_failed", message, host)

    /** The connection broke before the response was complete. */
    public class ConnectionLost(
        message: String,
        host: String,
    ) : PinfoldException("connection_lost", message, host)

    /** What was downloaded has not the SHA-256 that was expected; nothing of it is kept. */
    public class DigestMismatch(
        message: String,
        host: String,
    ) : PinfoldException("digest_mismatch", message, host)

    /** The host's name could not be resolved. */
    public class DnsFailed(
        message: String,
        host: String,
    ) : PinfoldException("dns_failed", message, host)

    /** The pin set has no entry for the host, and [ClientConfig.denyUnpinned] refuses such hosts. */
    public class HostNotPinned(
        message: String,
        host: String,
    ) : PinfoldException("host_not_pinned", message, host)

    /** The server redirected to something that is not HTTPS. */
    public class InsecureRedirect(
        message: String,
        host: String,
    ) : PinfoldException("insecure_redirect", message, host)

    /** A bug in Pinfold, caught before it could do harm. Please report it. */
    public class Internal(
        message: String,
    ) : PinfoldException("internal", message)

    /** A certificate that the app handed over, in [Roots.Only] or a pin set, is not one. */
    public class InvalidCertificate(
        message: String,
        place: String,
    ) : PinfoldException("invalid_certificate", message, place = place)

    /** A setting of [ClientConfig] is out of range. */
    public class InvalidConfig(
        message: String,
        place: String,
    ) : PinfoldException("invalid_config", message, place = place)

    /** A pin set was refused as a whole; the one in use, if any, stays. */
    public class InvalidPinSet(
        message: String,
        place: String,
    ) : PinfoldException("invalid_pin_set", message, place = place)

    /** A request was refused before anything was sent. */
    public class InvalidRequest(
        message: String,
        place: String,
    ) : PinfoldException("invalid_request", message, place = place)

    /** The server's answer is not HTTP, or its body does not decode. */
    public class InvalidResponse(
        message: String,
        host: String,
    ) : PinfoldException("invalid_response", message, host)

    /** The URL cannot be requested. [place] is the URL, shortened and without its secrets. */
    public class InvalidUrl(
        message: String,
        place: String,
    ) : PinfoldException("invalid_url", message, place = place)

    /**
     * The app's own side failed: a file could not be read or written, or whoever gives a body could
     * not, or who signs for a [ClientIdentity]. [place] is `body`, `file` or `client_certificate`.
     */
    public class IoFailed(
        message: String,
        place: String,
    ) : PinfoldException("io_failed", message, place = place)

    /** The device has no network: there is no route to any public address. */
    public class Offline(
        message: String,
        host: String,
    ) : PinfoldException("offline", message, host)

    /**
     * A proxy wants to know who the client is, or does not know who it says it is.
     *
     * @property proxy The proxy's URL, without user and password.
     */
    public class ProxyAuthRequired(
        message: String,
        host: String,
        public val proxy: String,
    ) : PinfoldException("proxy_auth_required", message, host)

    /**
     * The proxy cannot be used: it is not found, cannot be reached, or does not do what a proxy does;
     * or nobody can say which it is.
     *
     * @property proxy The proxy's URL, without user and password; null where it could not be found out.
     */
    public class ProxyFailed(
        message: String,
        host: String,
        public val proxy: String?,
    ) : PinfoldException("proxy_failed", message, host)

    /**
     * The proxy will not, or cannot, connect to the host; the message says why.
     *
     * @property proxy The proxy's URL, without user and password.
     * @property status Its answer: a status of HTTP, or a reply of SOCKS (1 to 8, RFC 1928 §6).
     */
    public class ProxyRefused(
        message: String,
        host: String,
        public val proxy: String,
        public val status: Int,
    ) : PinfoldException("proxy_refused", message, host)

    /** The body is larger than [ClientConfig.maxResponseBytes], or than the memory that is left. */
    public class ResponseTooLarge(
        message: String,
        host: String,
    ) : PinfoldException("response_too_large", message, host)

    /** The TLS handshake failed for a reason other than the certificate. */
    public class TlsFailed(
        message: String,
        host: String,
        override val interception: InterceptionReport? = null,
    ) : PinfoldException("tls_failed", message, host)

    /** More redirects than [ClientConfig.maxRedirects]. */
    public class TooManyRedirects(
        message: String,
        host: String,
    ) : PinfoldException("too_many_redirects", message, host)

    /**
     * The body ended early: fewer bytes than announced, or no TLS `close_notify`
     * (RFC 8446 §6.1).
     */
    public class Truncated(
        message: String,
        host: String,
    ) : PinfoldException("truncated", message, host)

    /**
     * Time ran out.
     *
     * @property phase Which of the client's timeouts it was.
     */
    public class Timeout(
        message: String,
        host: String,
        public val phase: Phase,
    ) : PinfoldException("timeout_${phase.name.lowercase()}", message, host) {
        /** Which timeout ran out. */
        public enum class Phase {
            /** [ClientConfig.connectTimeout]: name lookup, TCP and TLS together. */
            CONNECT,

            /** [ClientConfig.firstByteTimeout]: the first byte of the answer. */
            FIRST_BYTE,

            /** [ClientConfig.lookupTimeout]: name lookup alone. */
            LOOKUP,

            /** [ClientConfig.queueTimeout]: the wait for the request's turn. */
            QUEUE,

            /** [ClientConfig.readTimeout] or the request's own: the next bytes of the answer. */
            READ,

            /** [ClientConfig.tlsTimeout]: the TLS handshake with one address. */
            TLS,

            /** [ClientConfig.timeout] or the request's own: the whole call. */
            TOTAL,

            /**
             * The platform's judgement of the certificate: 8 s, or what was left of the others. See
             * [Roots.System].
             */
            TRUST,
        }
    }

    /**
     * The server's certificate was refused, before one byte of the request had left.
     *
     * @property certificate What a support desk needs to see.
     */
    public sealed class CertificateRefused(
        code: String,
        message: String,
        override val certificate: CertificateFacts,
    ) : PinfoldException(code, message, certificate.host) {
        override val interception: InterceptionReport? get() = certificate.interception
    }

    /**
     * The pin set blocks a key on every path that makes the certificate trusted, whatever its pins
     * and its mode say; see [PinSetBuilder.blockedSpki].
     */
    public class BlockedKey(
        message: String,
        certificate: CertificateFacts,
    ) : CertificateRefused("blocked_key", message, certificate)

    /**
     * The certificate is trusted, but no pin of the host's entry is on its verified path
     * (RFC 7469 §2.6). Somebody is in the middle, or the server's certificate has changed.
     */
    public class PinMismatch(
        message: String,
        certificate: CertificateFacts,
    ) : CertificateRefused("pin_mismatch", message, certificate)

    /**
     * The host's entry has lapsed, because the pin set was not renewed in time, and the app has
     * consented that nothing is allowed then. The certificate itself is trusted.
     */
    public class PinSetLapsed(
        message: String,
        certificate: CertificateFacts,
    ) : CertificateRefused("pin_set_lapsed", message, certificate)

    /**
     * The certificate is not trusted; pins were not even asked.
     *
     * @property reason Why it is not trusted.
     */
    public class Untrusted(
        message: String,
        certificate: CertificateFacts,
        public val reason: Reason,
    ) : CertificateRefused("certificate_${reason.name.lowercase()}", message, certificate) {
        /** Why a certificate is not trusted. */
        public enum class Reason {
            /** Its validity has ended, or the device's clock is ahead. */
            EXPIRED,

            /** It, or every path from it to an authority, is unusable; the message says how. */
            INVALID,

            /** Its validity has not begun, or the device's clock is behind. */
            NOT_YET_VALID,

            /** Its authority has revoked it. */
            REVOKED,

            /** No trusted authority vouches for it. */
            UNKNOWN_ISSUER,

            /** The platform could not judge it; the message says why. */
            UNVERIFIED,

            /** It is for another host. */
            WRONG_HOST,
        }
    }
}
