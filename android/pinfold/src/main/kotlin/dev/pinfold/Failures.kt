package dev.pinfold

import dev.pinfold.PinfoldException.ClientCertificateRefused
import dev.pinfold.PinfoldException.Timeout.Phase
import dev.pinfold.PinfoldException.Untrusted.Reason
import dev.pinfold.internal.Failure
import dev.pinfold.internal.Interception
import dev.pinfold.internal.InternalException
import dev.pinfold.internal.PinfoldFailure
import dev.pinfold.internal.ensureInitialized

/** Runs [block], which calls the library, with what UniFFI throws as a [PinfoldException]. */
internal inline fun <T> translated(block: () -> T): T =
    try {
        ensureInitialized()
        block()
    } catch (e: PinfoldFailure.Failed) {
        throw e.failure.toException()
    } catch (e: InternalException) {
        throw PinfoldException.Internal("a bug in Pinfold: ${e.message}")
    }

internal fun Failure.toException(): PinfoldException {
    val host = host.orEmpty()
    val place = place.orEmpty()
    return when (code) {
        "blocked_key" -> PinfoldException.BlockedKey(message, certificate())
        "cancelled" -> PinfoldException.Cancelled(message)
        "client_certificate_refused" -> ClientCertificateRefused(message, host)
        "client_closed" -> PinfoldException.ClientClosed(message)
        "connect_failed" -> PinfoldException.ConnectFailed(message, host)
        "connection_lost" -> PinfoldException.ConnectionLost(message, host)
        "digest_mismatch" -> PinfoldException.DigestMismatch(message, host)
        "dns_failed" -> PinfoldException.DnsFailed(message, host)
        "host_not_pinned" -> PinfoldException.HostNotPinned(message, host)
        "insecure_redirect" -> PinfoldException.InsecureRedirect(message, host)
        "internal" -> PinfoldException.Internal(message)
        "invalid_certificate" -> PinfoldException.InvalidCertificate(message, place)
        "invalid_config" -> PinfoldException.InvalidConfig(message, place)
        "invalid_pin_set" -> PinfoldException.InvalidPinSet(message, place)
        "invalid_request" -> PinfoldException.InvalidRequest(message, place)
        "invalid_response" -> PinfoldException.InvalidResponse(message, host)
        "invalid_url" -> PinfoldException.InvalidUrl(message, place)
        "io_failed" -> PinfoldException.IoFailed(message, place)
        "offline" -> PinfoldException.Offline(message, host)
        "pin_mismatch" -> toPinMismatch()
        "pin_set_lapsed" -> PinfoldException.PinSetLapsed(message, certificate())
        "proxy_auth_required" -> PinfoldException.ProxyAuthRequired(message, host, proxy.orEmpty())
        "proxy_failed" -> PinfoldException.ProxyFailed(message, host, proxy)
        "proxy_refused" -> toProxyRefused()
        "response_too_large" -> PinfoldException.ResponseTooLarge(message, host)
        "timeout_connect" -> PinfoldException.Timeout(message, host, Phase.CONNECT)
        "timeout_first_byte" -> PinfoldException.Timeout(message, host, Phase.FIRST_BYTE)
        "timeout_lookup" -> PinfoldException.Timeout(message, host, Phase.LOOKUP)
        "timeout_queue" -> PinfoldException.Timeout(message, host, Phase.QUEUE)
        "timeout_read" -> PinfoldException.Timeout(message, host, Phase.READ)
        "timeout_tls" -> PinfoldException.Timeout(message, host, Phase.TLS)
        "timeout_total" -> PinfoldException.Timeout(message, host, Phase.TOTAL)
        "timeout_trust" -> PinfoldException.Timeout(message, host, Phase.TRUST)
        "tls_failed" -> PinfoldException.TlsFailed(message, host, interception?.toPublic())
        "too_many_redirects" -> PinfoldException.TooManyRedirects(message, host)
        "truncated" -> PinfoldException.Truncated(message, host)
        else -> untrusted() ?: PinfoldException.Internal("unknown code $code: $message")
    }
}

private fun Failure.toProxyRefused(): PinfoldException {
    val status = proxyStatus?.toInt() ?: 0
    return PinfoldException.ProxyRefused(message, host.orEmpty(), proxy.orEmpty(), status)
}

internal fun Failure.toPinMismatch() = PinfoldException.PinMismatch(message, certificate())

private fun Failure.untrusted(): PinfoldException? {
    if (!code.startsWith("certificate_")) return null
    val reason = untrustedReason(code.removePrefix("certificate_")) ?: return null
    return PinfoldException.Untrusted(message, certificate(), reason)
}

/** The reason of a code without `certificate_`. */
internal fun untrustedReason(word: String): Reason? =
    Reason.entries.find { it.name.lowercase() == word }

private fun Failure.certificate() =
    CertificateFacts(
        host = host.orEmpty(),
        rule = rule,
        presentedPin = presentedPin,
        expectedPins = expectedPins,
        subject = subject,
        issuer = issuer,
        pinSetVersion = pinSetVersion?.toLong(),
        interception = interception?.toPublic(),
        proxy = proxy,
    )

/** Null for what is not of the closed sets: a wrong word would be worse than none. */
internal fun Interception.toPublic(): InterceptionReport? {
    val kind = InterceptionReport.Kind.entries.find { it.code == kind } ?: return null
    val confidence =
        InterceptionReport.Confidence.entries.find { it.code == confidence } ?: return null
    return InterceptionReport(
        kind = kind,
        confidence = confidence,
        product = product,
        authority = authority,
        evidence = evidence.map { InterceptionReport.Evidence(it.code, it.text) },
        message = message,
        mend = mend,
    )
}
