package dev.pinfold

import dev.pinfold.internal.TrustFailure
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import java.lang.reflect.InvocationTargetException
import java.security.KeyStoreException
import java.security.cert.CRLReason
import java.security.cert.CertPathBuilderException
import java.security.cert.CertPathValidatorException
import java.security.cert.CertPathValidatorException.BasicReason
import java.security.cert.CertificateException
import java.security.cert.CertificateExpiredException
import java.security.cert.CertificateNotYetValidException
import java.security.cert.CertificateRevokedException
import java.security.cert.PKIXReason
import java.util.Date
import javax.security.auth.x500.X500Principal

/** What trust managers throw: the JVM's, and those of Android that no JVM has. */
class TrustFailuresTest {
    @Test
    fun `the reason is found wherever it is in the causes`() {
        val revoked =
            CertificateRevokedException(
                Date(),
                CRLReason.KEY_COMPROMISE,
                X500Principal("CN=a"),
                emptyMap(),
            )
        val expired = TrustFailure.Expired::class
        val unknown = TrustFailure.UnknownIssuer::class
        val failures =
            mapOf(
                CertificateExpiredException() to expired,
                validator(BasicReason.EXPIRED) to expired,
                CertificateNotYetValidException() to TrustFailure.NotYetValid::class,
                validator(BasicReason.NOT_YET_VALID) to TrustFailure.NotYetValid::class,
                revoked to TrustFailure.Revoked::class,
                validator(BasicReason.REVOKED) to TrustFailure.Revoked::class,
                validator(PKIXReason.NO_TRUST_ANCHOR) to unknown,
                CertPathBuilderException(
                    "unable to find valid certification path to requested target",
                ) to unknown,
                // Android gives it no reason of its own.
                CertPathValidatorException(
                    "Trust anchor for certification path not found.",
                ) to unknown,
                validator(BasicReason.INVALID_SIGNATURE) to TrustFailure.Invalid::class,
                validator(BasicReason.UNDETERMINED_REVOCATION_STATUS) to
                    TrustFailure.Unverified::class,
                KeyStoreException("no store") to TrustFailure.Unverified::class,
                OutOfMemoryError("too little") to TrustFailure.Unverified::class,
            )
        for ((failure, expected) in failures) {
            assertEquals(expected, failure.toTrustFailure()::class, "$failure")
            val isJudgement = failure !is KeyStoreException && failure !is Error
            val outer: Throwable =
                if (isJudgement) CertificateException("not trusted", failure) else failure
            val wrapped = InvocationTargetException(RuntimeException(outer))
            assertEquals(expected, wrapped.toTrustFailure()::class, "$failure")
        }
    }

    @Test
    fun `a pin of the Network Security Config is named`() {
        val error = CertificateException("Pin verification failed")
        val failure = assertInstanceOf<TrustFailure.Invalid>(error.toTrustFailure())
        assertEquals("Pin verification failed", failure.reason)
    }

    @Test
    fun `the innermost message is shown, in short`() {
        val inner = CertPathValidatorException("Algorithm constraints check failed\nat length")
        val outer = CertificateException("PKIX path validation failed: $inner", inner)
        val invalid = assertInstanceOf<TrustFailure.Invalid>(outer.toTrustFailure())
        assertEquals("Algorithm constraints check failed", invalid.reason)

        val long = IllegalStateException("x".repeat(10_000)).toTrustFailure()
        assertEquals(200, assertInstanceOf<TrustFailure.Unverified>(long).reason.length)
        val mute = NullPointerException().toTrustFailure()
        assertEquals(
            "NullPointerException",
            assertInstanceOf<TrustFailure.Unverified>(mute).reason,
        )
    }

    @Test
    fun `causes in a circle come to an end`() {
        val one = RuntimeException("one")
        one.initCause(RuntimeException("other", one))
        assertTrue(one.toTrustFailure() is TrustFailure.Unverified)
    }

    private fun validator(reason: CertPathValidatorException.Reason) =
        CertPathValidatorException("refused", null, null, -1, reason)
}
