package dev.pinfold

import dev.pinfold.InterceptionReport.Confidence
import dev.pinfold.InterceptionReport.Kind
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import kotlin.reflect.KClass

class InterceptionTest {
    private class Expected(
        val error: KClass<out PinfoldException>,
        val kind: Kind,
        val confidence: Confidence,
        val evidence: String,
    )

    @Test
    suspend fun `every server that is not ours has its explanation`() {
        val untrusted = PinfoldException.Untrusted::class
        val expected =
            mapOf(
                "self_signed" to
                    Expected(untrusted, Kind.CAPTIVE_PORTAL, Confidence.POSSIBLE, "self_signed"),
                "expired" to Expected(untrusted, Kind.EXPIRED, Confidence.LIKELY, "validity"),
                "not_yet_valid" to
                    Expected(untrusted, Kind.WRONG_CLOCK, Confidence.LIKELY, "validity"),
                "impostor" to
                    Expected(
                        untrusted,
                        Kind.UNKNOWN_AUTHORITY,
                        Confidence.POSSIBLE,
                        "issuer_missing",
                    ),
                "wrong_host" to
                    Expected(untrusted, Kind.WRONG_NAME, Confidence.LIKELY, "other_names"),
                // The authorities are the app's own, so it may have been the app's own server.
                "interceptor" to
                    Expected(
                        PinfoldException.PinMismatch::class,
                        Kind.ROTATED_OR_MISISSUED,
                        Confidence.POSSIBLE,
                        if (Testkit.hasPublicRoots) "not_public" else "",
                    ),
                "plain_http" to
                    Expected(
                        PinfoldException.TlsFailed::class,
                        Kind.CAPTIVE_PORTAL,
                        Confidence.POSSIBLE,
                        "http_in_clear",
                    ),
            )
        for ((server, expectation) in expected) {
            val error = failure(server)
            assertEquals(expectation.error, error::class, server)
            val report = error.interception!!
            assertEquals(expectation.kind, report.kind, server)
            assertEquals(expectation.confidence, report.confidence, server)
            val evidence = report.evidence.joinToString { it.code }
            assertEquals(expectation.evidence, evidence, server)
            assertTrue(report.message.isNotBlank())
            assertTrue(report.evidence.all { it.text.isNotBlank() })
            assertNull(report.product)
            assertNull(report.mend)
        }
    }

    @Test
    suspend fun `a mistake of the server's owner is told as one, with what mends it`() {
        val pins = Testkit.pinSet { pin(Testkit.pin("backend")) }
        for ((server, code, evidence) in listOf(
            Triple("no_intermediate", "certificate_unknown_issuer", "issuer_missing, pinned_key"),
            Triple("leaf_last", "certificate_wrong_host", "further_down, pinned_key"),
        )) {
            val error =
                Testkit.client(server, pins).use { client ->
                    assertThrows<PinfoldException>(server) { client.get(Testkit.url("/")) }
                }
            assertEquals(code, error.code)
            val report = error.interception!!
            assertEquals(Kind.SERVER_MISCONFIGURED, report.kind, server)
            assertEquals(Confidence.LIKELY, report.confidence, server)
            assertEquals(evidence, report.evidence.joinToString { it.code })
            assertTrue(report.message.startsWith("This service has a problem"), report.message)
            assertTrue(report.mend!!.endsWith("."), report.mend)
        }
    }

    @Test
    suspend fun `the report is part of the facts and of what is logged`() {
        val error = assertInstanceOf<PinfoldException.Untrusted>(failure("wrong_host"))
        val report = error.interception!!
        assertEquals(report.toString(), error.certificate.interception.toString())
        assertEquals("Pinfold Test Intermediate", report.authority)
        assertEquals("it is for wrong.example.test", report.evidence.single().text)
        assertTrue(report.toString().startsWith("InterceptionReport(kind=wrong_name, "))
        assertTrue(error.certificate.toString().contains("kind=wrong_name"))
        assertTrue(error.message.contains("wrong_name"), error.message)
    }

    @Test
    suspend fun `a mismatch that is only reported has one too`() {
        val pins =
            Testkit.pinSet {
                pin(Testkit.pin("intermediate"))
                mode = Mode.REPORT_ONLY
            }
        val response = Testkit.client("interceptor", pins).use { it.get(Testkit.url("/")) }
        val mismatch = assertInstanceOf<Pinning.ReportOnly>(response.pinning).mismatch
        assertEquals(Kind.ROTATED_OR_MISISSUED, mismatch.interception?.kind)
    }

    @Test
    suspend fun `what has nothing to do with anybody has none`() {
        assertNull(failure("garbage").interception)
        assertNull(failure("close_on_hello").interception)
    }

    @Test
    suspend fun `an app shows the message or a translation of its own`() {
        val shown = mutableListOf<String>()
        val translations = mapOf("captive_portal" to "Bitte erst anmelden.")
        for (server in listOf("self_signed", "impostor")) {
            val report = failure(server).interception!!
            shown += translations[report.kind.code]?.format(report.product) ?: report.message
        }
        assertEquals("Bitte erst anmelden.", shown[0])
        assertTrue(shown[1].startsWith("The server could not prove who it is."), shown[1])
        assertFalse(shown[1].contains('%'))
    }

    private suspend fun failure(server: String): PinfoldException =
        Testkit.client(server).use { client ->
            assertThrows<PinfoldException>(server) { client.get(Testkit.url("/")) }
        }
}
