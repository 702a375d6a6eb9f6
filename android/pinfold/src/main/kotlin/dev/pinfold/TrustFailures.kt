package dev.pinfold

import dev.pinfold.internal.TrustFailure
import java.security.cert.CertPathBuilderException
import java.security.cert.CertPathValidatorException
import java.security.cert.CertPathValidatorException.BasicReason
import java.security.cert.CertPathValidatorException.Reason
import java.security.cert.CertificateException
import java.security.cert.CertificateExpiredException
import java.security.cert.CertificateNotYetValidException
import java.security.cert.CertificateRevokedException
import java.security.cert.PKIXReason

/** Why a trust manager refuses, as far as its exception and what caused that say so. */
internal fun Throwable.toTrustFailure(): TrustFailure {
    val causes = generateSequence(this) { it.cause }.take(MAX_CAUSES).toList()
    return causes.firstNotNullOfOrNull { it.byType() }
        ?: causes.firstNotNullOfOrNull { it.byMessage() }
        ?: when {
            causes.any { it.isJudgement() } -> TrustFailure.Invalid(causes.reason())
            else -> TrustFailure.Unverified(causes.reason())
        }
}

private fun Throwable.byType(): TrustFailure? =
    when (this) {
        is TrustFailure -> this
        is CertificateExpiredException -> TrustFailure.Expired()
        is CertificateNotYetValidException -> TrustFailure.NotYetValid()
        is CertificateRevokedException -> TrustFailure.Revoked()
        is CertPathValidatorException -> reason.toTrustFailure()
        else -> null
    }

private fun Reason.toTrustFailure(): TrustFailure? =
    when (this) {
        BasicReason.EXPIRED -> TrustFailure.Expired()
        BasicReason.NOT_YET_VALID -> TrustFailure.NotYetValid()
        BasicReason.REVOKED -> TrustFailure.Revoked()
        BasicReason.UNDETERMINED_REVOCATION_STATUS -> TrustFailure.Unverified(NO_ANSWER)
        PKIXReason.NO_TRUST_ANCHOR -> TrustFailure.UnknownIssuer()
        else -> null
    }

/** The JVM's and Android's words for it; their types are those of any unusable path. */
private fun Throwable.byMessage(): TrustFailure? {
    val message = message ?: return null
    val isUnknown = NO_ISSUER.any { it in message }
    return if (isUnknown) TrustFailure.UnknownIssuer() else null
}

/** Whether it is about a certificate; else something is wrong with the platform. */
private fun Throwable.isJudgement() =
    this is CertificateException ||
        this is CertPathBuilderException ||
        this is CertPathValidatorException

/** The innermost says most, and without the names of classes. */
private fun List<Throwable>.reason(): String {
    val message = mapNotNull { it.message }.lastOrNull { it.isNotBlank() }
    val reason = message ?: last().javaClass.simpleName
    return reason.lineSequence().first().take(MAX_REASON)
}

private val NO_ISSUER =
    listOf(
        "unable to find valid certification path",
        "Trust anchor for certification path not found",
    )
private const val NO_ANSWER = "whether it is revoked cannot be told"
private const val MAX_CAUSES = 16
private const val MAX_REASON = 200
