package dev.pinfold

import dev.pinfold.Explanation.Fate
import dev.pinfold.Explanation.Verdict
import dev.pinfold.PinfoldException.Untrusted.Reason
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import kotlin.time.Clock
import kotlin.time.Duration.Companion.days
import kotlin.time.Instant

class ExplainTest {
    private val at = Instant.parse("2027-03-04T05:06:07.9Z")

    @Test
    suspend fun `after a mismatch the client of an updater looks for a newer pin set`() {
        val app = App(1, "backend")
        app.updater().client("rotated").use { client ->
            App.publish(2, "rotated")
            val told = client.explain(Testkit.HOST, Testkit.chains.getValue("rotated"))
            assertNull(told.error)
            assertEquals(1, app.fetches())
        }
    }

    @Test
    suspend fun `a match tells the entry, the path and the pin`() {
        val explanation = explain("backend", host = "API.Example.TEST.")
        with(explanation) {
            assertEquals(Testkit.HOST, host)
            assertEquals(Instant.parse("2027-03-04T05:06:07Z"), at)
            assertTrue(isAllowed)
            assertEquals(Verdict.MATCH, verdict)
            assertNull(distrust)
            assertNull(error)
            assertNull(interception)
        }
        val pins =
            listOf(
                Explanation.Pin(Testkit.pin("intermediate"), PinAt.CA, PinState.ACTIVE, null),
                Explanation.Pin(Testkit.pin("backup"), PinAt.ANY, PinState.BACKUP, null),
            )
        val policy =
            Explanation.Policy(
                host = Testkit.HOST,
                isExact = true,
                mode = Mode.ENFORCE,
                trust = Trust.SYSTEM_AND_PIN,
                expires = null,
                pins = pins,
            )
        assertEquals(policy, explanation.policy)
        val match =
            Explanation.Match(
                pin = Testkit.pin("intermediate"),
                at = PinAt.CA,
                subject = "Pinfold Test Intermediate",
                depth = 1,
                state = PinState.ACTIVE,
            )
        assertEquals(match, explanation.match)
        val path = explanation.paths.last()
        assertEquals(Fate.MATCH, path.fate)
        val expected = listOf("backend", "intermediate", "root").map { Testkit.pin(it) }
        assertEquals(expected, path.certificates.map { it.pin })
        assertEquals(Testkit.HOST, path.certificates.first().subject)
    }

    @Test
    suspend fun `a mismatch tells every path that was tried and who is in the middle`() {
        val explanation = explain("interceptor")
        assertFalse(explanation.isAllowed)
        assertEquals(Verdict.NO_MATCH, explanation.verdict)
        assertNull(explanation.distrust)
        assertNull(explanation.match)
        val path = explanation.paths.single()
        assertEquals(Fate.NO_PIN, path.fate)
        assertEquals("Interception Authority", path.certificates.last().subject)
        val error = assertInstanceOf<PinfoldException.PinMismatch>(explanation.error)
        assertEquals(Testkit.pin("interceptor"), error.certificate.presentedPin)
        val kind = InterceptionReport.Kind.ROTATED_OR_MISISSUED
        assertEquals(kind, explanation.interception?.kind)
        assertEquals(kind, error.interception?.kind)
    }

    @Test
    suspend fun `a host without an entry is refused or allowed, as the client is told`() {
        val empty = PinSet.build { }
        val refused = explain("backend", empty)
        assertFalse(refused.isAllowed)
        assertEquals(Verdict.NOT_PINNED, refused.verdict)
        assertNull(refused.policy)
        assertEquals("host_not_pinned", refused.error?.code)

        val allowed = explain("backend", empty) { denyUnpinned = false }
        assertTrue(allowed.isAllowed)
        assertEquals(Fate.ACCEPTED, allowed.paths.last().fate)
        assertNull(allowed.error)
    }

    @Test
    suspend fun `a blocked key tells where it is`() {
        val pins =
            PinSet.build {
                blockedSpki = listOf(Testkit.pin("intermediate"))
                host(Testkit.HOST) {
                    pin(Testkit.pin("backend"))
                    backup(Testkit.pin("backup"))
                    mode = Mode.REPORT_ONLY
                }
            }
        val explanation = explain("backend", pins)
        assertFalse(explanation.isAllowed)
        assertEquals(Verdict.BLOCKED_KEY, explanation.verdict)
        assertEquals(Fate.BLOCKED, explanation.paths.last().fate)
        assertInstanceOf<PinfoldException.BlockedKey>(explanation.error)
    }

    @Test
    suspend fun `an entry of a parent is named as one, with all that it says`() {
        val expires = Instant.parse("2030-01-01T00:00:00Z")
        val pins =
            PinSet.build {
                host("example.test", includeSubdomains = true) {
                    mode = Mode.REPORT_ONLY
                    trust = Trust.PRIVATE_CA
                    anchor(Testkit.certificate("root"))
                    this.expires = expires
                    pin(Testkit.pin("rotated"), PinAt.LEAF, PinState.RETIRING, label = "old")
                }
            }
        val explanation = explain("backend", pins)
        val pin = Explanation.Pin(Testkit.pin("rotated"), PinAt.LEAF, PinState.RETIRING, "old")
        val policy =
            Explanation.Policy(
                host = "example.test",
                isExact = false,
                mode = Mode.REPORT_ONLY,
                trust = Trust.PRIVATE_CA,
                expires = expires,
                pins = listOf(pin),
            )
        assertEquals(policy, explanation.policy)
        assertTrue(explanation.isAllowed)
        assertEquals(Verdict.NO_MATCH, explanation.verdict)
        assertNull(explanation.error)

        val later = explain("backend", pins, at = expires)
        assertEquals(Verdict.LAPSED, later.verdict)
        val off = explain("backend", Testkit.pinSet { mode = Mode.OFF })
        assertEquals(Verdict.OFF, off.verdict)
    }

    @Test
    suspend fun `what is not trusted is so for its own reason, at any time`() {
        val expected =
            mapOf(
                "impostor" to Reason.UNKNOWN_ISSUER,
                "expired" to Reason.EXPIRED,
                "not_yet_valid" to Reason.NOT_YET_VALID,
                "wrong_host" to Reason.WRONG_HOST,
                "self_signed_ca" to Reason.INVALID,
            )
        for ((server, reason) in expected) {
            val explanation = explain(server)
            assertEquals(reason, explanation.distrust, server)
            assertEquals("certificate_${reason.name.lowercase()}", explanation.error?.code)
            val path = explanation.paths.single()
            assertEquals(1, path.certificates.size)
        }
        val then = explain("expired", at = Instant.parse("2021-06-01T00:00:00Z"))
        assertTrue(then.isAllowed)
        val early = explain("backend", at = Instant.fromEpochSeconds(0))
        assertEquals(Reason.NOT_YET_VALID, early.distrust)
        // Nobody's clock says so.
        assertNull(early.interception)
        val late = explain("backend", at = Instant.parse("9999-12-31T23:59:59Z"))
        assertEquals(Reason.EXPIRED, late.distrust)
    }

    @Test
    suspend fun `it says what a request would`() {
        for ((server, chain) in Testkit.chains) {
            Testkit.client(server).use { client ->
                val request = runCatching { client.get(Testkit.url("/")) }
                val explanation = client.explain(Testkit.HOST, chain)
                val error = request.exceptionOrNull() as PinfoldException?
                assertEquals(error?.code, explanation.error?.code, server)
                assertEquals(request.isSuccess, explanation.isAllowed, server)
                val reported = error?.interception?.kind
                assertEquals(reported, explanation.error?.interception?.kind, server)
                assertEquals(reported, explanation.interception?.kind, server)
            }
        }
    }

    @Test
    suspend fun `the JSON says the same`() {
        val explanation = explain("backend")
        assertEquals(explanation.json, explanation.toString())
        val json = Json.parseToJsonElement(explanation.json).jsonObject
        assertEquals("allow", json.text("decision"))
        assertEquals("match", json.text("verdict"))
        assertEquals("trusted", json.text("trust"))
        assertEquals("2027-03-04T05:06:07Z", json.text("at"))
        assertEquals(3, json.getValue("path").jsonArray.size)
    }

    @Test
    suspend fun `the platform is asked where its authorities count`() {
        val start = Clock.System.now()
        val configure: ClientConfig.() -> Unit = {
            roots = Roots.System
            systemTrust = SystemTrust(Testkit.keyStore("root"))
        }
        Testkit.client(configure = configure).use { client ->
            val good = client.explain(Testkit.HOST, Testkit.chains.getValue("backend"))
            assertEquals(Verdict.MATCH, good.verdict)
            assertTrue(good.at in start - 1.days..start + 1.days)
            val other = client.explain(Testkit.HOST, Testkit.chains.getValue("interceptor"))
            assertEquals(Reason.UNKNOWN_ISSUER, other.distrust)
        }
    }

    @Test
    suspend fun `questions that make no sense are refused by name`() {
        val chain = Testkit.chains.getValue("backend")
        for (host in listOf("", "a b", "https://api.example.test", "\uD800", "a\u0000b")) {
            refused("host") { it.explain(host, chain) }
        }
        refused("chain") { it.explain(Testkit.HOST, emptyList()) }
        refused("chain") { it.explain(Testkit.HOST, listOf(ByteArray((16 shl 20) + 1))) }
        for (at in listOf("1969-12-31T23:59:59.5Z", "+10000-01-01T00:00:00Z")) {
            refused("at") { it.explain(Testkit.HOST, chain, Instant.parse(at)) }
        }
        refused("at") { it.explain(Testkit.HOST, chain, Instant.DISTANT_PAST) }
        // What a server could present is judged, and refused as in a handshake.
        for (count in listOf(1, 33)) {
            val junk = List(count) { byteArrayOf(1) }
            val explained = Testkit.client().use { it.explain(Testkit.HOST, junk) }
            assertEquals(Reason.INVALID, explained.distrust)
        }
    }

    @Test
    suspend fun `a closed client says so`() {
        val client = Testkit.client()
        client.close()
        assertThrows<PinfoldException.ClientClosed> {
            client.explain(Testkit.HOST, Testkit.chains.getValue("backend"))
        }
    }

    private suspend fun explain(
        server: String,
        pins: PinSet = Testkit.pins,
        at: Instant = this.at,
        host: String = Testkit.HOST,
        configure: ClientConfig.() -> Unit = {},
    ) = Testkit.client(pins = pins, configure = configure).use {
        it.explain(host, Testkit.chains.getValue(server), at)
    }

    private suspend fun refused(
        place: String,
        explain: suspend (PinnedClient) -> Explanation,
    ) {
        val error =
            Testkit.client().use { client ->
                assertThrows<PinfoldException.InvalidRequest>(place) { explain(client) }
            }
        assertEquals(place, error.place, error.message)
    }
}
