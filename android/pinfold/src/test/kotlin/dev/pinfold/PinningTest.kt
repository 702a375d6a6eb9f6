package dev.pinfold

import dev.pinfold.PinfoldException.Untrusted.Reason
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import kotlin.time.Instant

class PinningTest {
    @Test
    suspend fun `a leaf pin matches the leaf`() {
        val pin = Testkit.pin("backend")
        val matched = pinning(Testkit.pinSet { pin(pin, at = PinAt.LEAF) })
        assertEquals(Pinning.Matched(Testkit.HOST, pin, PinAt.LEAF, PinState.ACTIVE), matched)
    }

    @Test
    suspend fun `a CA pin matches above the leaf`() {
        val pin = Testkit.pin("intermediate")
        val pins = Testkit.pinSet { pin(pin, at = PinAt.CA, state = PinState.RETIRING) }
        val matched = Pinning.Matched(Testkit.HOST, pin, PinAt.CA, PinState.RETIRING)
        assertEquals(matched, pinning(pins))
    }

    @Test
    suspend fun `a JSON pin set does the same, and a subdomain has its parent's entry`() {
        val json =
            """
            {
              "schema": 1,
              "hosts": [{
                "host": "example.test",
                "include_subdomains": true,
                "pins": [
                  { "sha256": "${Testkit.pin("backend").removePrefix("sha256/")}" },
                  { "sha256": "${Testkit.pin("backup").removePrefix("sha256/")}" }
                ]
              }]
            }
            """.trimIndent()
        for (pins in listOf(PinSet.parse(json), PinSet.parse(json.encodeToByteArray()))) {
            assertEquals(null, pins.version)
            assertEquals(listOf("example.test"), pins.hosts)
            assertEquals("example.test", assertInstanceOf<Pinning.Matched>(pinning(pins)).rule)
        }
    }

    @Test
    suspend fun `a mismatch says who is in the middle`() {
        val error = refused<PinfoldException.PinMismatch>("interceptor")
        assertEquals("pin_mismatch", error.code)
        assertEquals(Testkit.HOST, error.host)
        assertTrue(error.message.startsWith("the certificate of ${Testkit.HOST} matches no pin"))
        with(error.certificate) {
            assertEquals(Testkit.HOST, host)
            assertEquals(Testkit.HOST, rule)
            assertEquals(Testkit.pin("interceptor"), presentedPin)
            assertEquals(listOf(Testkit.pin("intermediate"), Testkit.pin("backup")), expectedPins)
            assertTrue(subject!!.contains(Testkit.HOST), subject)
            assertTrue(issuer!!.contains("Interception Authority"), issuer)
            assertEquals(7L, pinSetVersion)
        }
    }

    @Test
    suspend fun `a pinned certificate pasted behind another chain does not help`() {
        refused<PinfoldException.PinMismatch>("pasted")
    }

    @Test
    suspend fun `an interceptor gets an alert and not one byte of the request`() {
        // It even calls its authority by the name of the pinned one. No other test asks it.
        val server = "same_name_ca"
        refused<PinfoldException.PinMismatch>(server)
        val alert = Testkit.await(server, "alert") { true }
        assertEquals("certificate_unknown", alert.text("description"))
        val closed = Testkit.awaitClosed(server, alert.long("conn"))
        assertEquals(0L, closed.long("application_bytes"))
    }

    @Test
    suspend fun `what is not trusted is refused for its own reason`() {
        val expected =
            mapOf(
                "impostor" to Reason.UNKNOWN_ISSUER,
                "self_signed" to Reason.UNKNOWN_ISSUER,
                "private" to Reason.UNKNOWN_ISSUER,
                "expired" to Reason.EXPIRED,
                "not_yet_valid" to Reason.NOT_YET_VALID,
                "wrong_host" to Reason.WRONG_HOST,
                "self_signed_ca" to Reason.INVALID,
            )
        for ((server, reason) in expected) {
            val error = refused<PinfoldException.Untrusted>(server)
            assertEquals(reason, error.reason, server)
            assertEquals("certificate_${reason.name.lowercase()}", error.code)
            assertEquals(Testkit.pin(server), error.certificate.presentedPin, server)
            assertEquals(Testkit.HOST, error.certificate.host)
        }
    }

    @Test
    suspend fun `report-only passes and says what enforce would have thrown`() {
        val pins =
            Testkit.pinSet {
                pin(Testkit.pin("rotated"))
                mode = Mode.REPORT_ONLY
            }
        val reported = assertInstanceOf<Pinning.ReportOnly>(pinning(pins))
        assertEquals("pin_mismatch", reported.mismatch.code)
        assertEquals(Testkit.pin("backend"), reported.mismatch.certificate.presentedPin)
    }

    @Test
    suspend fun `off, lapsed and not pinned are told apart`() {
        assertEquals(Pinning.Off(Testkit.HOST), pinning(Testkit.pinSet { mode = Mode.OFF }))
        val lapsed =
            Testkit.pinSet {
                pin(Testkit.pin("rotated"))
                expires = Instant.parse("2021-01-01T00:00:00.5Z")
            }
        assertEquals(Pinning.Lapsed(Testkit.HOST), pinning(lapsed))
        val empty = PinSet.build { }
        assertEquals(Pinning.NotPinned, pinning(empty) { denyUnpinned = false })
    }

    @Test
    suspend fun `a host without an entry is refused unless that is allowed`() {
        val error =
            assertThrows<PinfoldException.HostNotPinned> {
                Testkit.client().use { it.get("https://www.example.test/") }
            }
        assertEquals("host_not_pinned", error.code)
        assertEquals("www.example.test", error.host)
    }

    @Test
    suspend fun `a private authority is trusted only by the entry that names it`() {
        val pins =
            Testkit.pinSet {
                trust = Trust.PRIVATE_CA
                anchor(Testkit.certificate("private_root"))
                pin(Testkit.pin("private_root"), at = PinAt.CA)
            }
        assertInstanceOf<Pinning.Matched>(pinning(pins, "private"))
        refused<PinfoldException.Untrusted>("backend", pins)
    }

    @Test
    suspend fun `a self-signed server is trusted by its pin alone`() {
        val pins =
            PinSet.build {
                host(Testkit.HOST) {
                    trust = Trust.PIN_ONLY
                    pin(Testkit.pin("self_signed"), at = PinAt.LEAF)
                    backup(Testkit.pin("backup"), at = PinAt.LEAF)
                }
            }
        assertInstanceOf<Pinning.Matched>(pinning(pins, "self_signed"))
        refused<PinfoldException.PinMismatch>("backend", pins)
    }

    @Test
    suspend fun `a blocked key is refused in every mode, and without an entry`() {
        val blocked = Testkit.pin("intermediate")
        val sets =
            Mode.entries.map { mode ->
                PinSet.build {
                    blockedSpki = listOf(Testkit.pin("backup"), blocked)
                    host(Testkit.HOST) {
                        this.mode = mode
                        pin(Testkit.pin("backend"))
                        backup(Testkit.pin("rotated"))
                    }
                }
            }
        for (pins in sets + PinSet.build { blockedSpki = listOf(blocked) }) {
            val error =
                assertThrows<PinfoldException.BlockedKey> {
                    pinning(pins) { denyUnpinned = false }
                }
            assertEquals("blocked_key", error.code)
            assertEquals(Testkit.HOST, error.host)
            assertEquals(Testkit.pin("backend"), error.certificate.presentedPin)
            assertTrue(error.message.contains("blocked"), error.message)
        }
    }

    @Test
    suspend fun `replaced pins hold for the next request, on an open connection too`() {
        Testkit.client().use { client ->
            assertEquals(200, client.get(Testkit.url("/")).status)
            client.replacePins(Testkit.pinSet { pin(Testkit.pin("rotated")) })
            assertThrows<PinfoldException.PinMismatch> { client.get(Testkit.url("/")) }
            client.replacePins(Testkit.pins)
            assertEquals(200, client.get(Testkit.url("/")).status)
        }
    }

    private suspend fun pinning(
        pins: PinSet,
        server: String = "backend",
        configure: ClientConfig.() -> Unit = {},
    ) = Testkit.client(server, pins, configure).use { it.get(Testkit.url("/")).pinning }

    private suspend inline fun <reified T : PinfoldException.CertificateRefused> refused(
        server: String,
        pins: PinSet = Testkit.pins,
    ): T =
        Testkit.client(server, pins).use { client ->
            assertThrows<T> { client.get(Testkit.url("/?token=s3cret")) }
        }
}
