package dev.pinfold

import dev.pinfold.PinfoldException.Timeout.Phase
import dev.pinfold.PinfoldException.Untrusted.Reason
import dev.pinfold.internal.Failure
import dev.pinfold.internal.InternalException
import dev.pinfold.internal.PinfoldFailure

/** Runs [block] with what UniFFI throws as a [PinfoldException]. */
internal inline fun <T> translated(block: () -> T): T =
    try {
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
        "cancelled" -> PinfoldException.Cancelled(message)
        "client_closed" -> PinfoldException.ClientClosed(message)
        "connect_failed" -> PinfoldException.ConnectFailed(message, host)
        "connection_lost" -> PinfoldException.ConnectionLost(message, host)
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
        "pin_mismatch" -> toPinMismatch()
        "response_too_large" -> PinfoldException.ResponseTooLarge(message, host)
        "timeout_connect" -> PinfoldException.Timeout(message, host, Phase.CONNECT)
        "timeout_total" -> PinfoldException.Timeout(message, host, Phase.TOTAL)
        "tls_failed" -> PinfoldException.TlsFailed(message, host)
        "too_many_redirects" -> PinfoldException.TooManyRedirects(message, host)
        "truncated" -> PinfoldException.Truncated(message, host)
        else -> untrusted() ?: PinfoldException.Internal("unknown code $code: $message")
    }
}

internal fun Failure.toPinMismatch() = PinfoldException.PinMismatch(message, certificate())

private fun Failure.untrusted(): PinfoldException? {
    val reason = Reason.entries.find { "certificate_${it.name.lowercase()}" == code }
    if (reason == null) return null
    return PinfoldException.Untrusted(message, certificate(), reason)
}

private fun Failure.certificate() =
    CertificateFacts(
        host = host.orEmpty(),
        rule = rule,
        presentedPin = presentedPin,
        expectedPins = expectedPins,
        subject = subject,
        issuer = issuer,
        pinSetVersion = pinSetVersion?.toLong(),
    )
