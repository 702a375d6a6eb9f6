package dev.pinfold

import dev.pinfold.PinfoldException.Untrusted.Reason
import dev.pinfold.internal.TrustFailure
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import java.lang.ref.WeakReference

/** The JVM's trust manager, with testkit's authorities as the platform's. */
class SystemTrustTest {
    private val trust = SystemTrust(Testkit.keyStore("root", "other_root"))

    @Test
    suspend fun `pins of every level match on the JVM's path, the root's too`() {
        for (name in listOf("backend", "intermediate", "root")) {
            val pins = Testkit.pinSet { pin(Testkit.pin(name)) }
            val matched = assertInstanceOf<Pinning.Matched>(pinning("backend", pins), name)
            assertEquals(Testkit.pin(name), matched.pin)
            val at = if (name == "backend") PinAt.LEAF else PinAt.CA
            assertEquals(at, matched.at)
        }
    }

    @Test
    suspend fun `chains of every length and key are trusted`() {
        for (server in listOf("backend_root", "cross", "deep", "rotated", "rsa", "tls12")) {
            assertInstanceOf<Pinning.Matched>(pinning(server, Testkit.pins), server)
        }
        val root = Testkit.pinSet { pin(Testkit.pin("root"), at = PinAt.CA) }
        assertInstanceOf<Pinning.Matched>(pinning("leaf_only", root))
    }

    @Test
    fun `the path is the verified one, from the end-entity to the authority`() {
        for (server in listOf("backend", "backend_root")) {
            val path = trust.verify(Testkit.chains.getValue(server), Testkit.HOST)
            val expected = Testkit.chains.getValue("backend_root")
            assertEquals(expected.size, path.certificates.size, server)
            expected.zip(path.certificates).forEach { (one, other) ->
                assertArrayEquals(one, other)
            }
            assertNull(path.addedAuthority)
        }
        // Nothing of what is pasted behind another chain.
        val pasted = trust.verify(Testkit.chains.getValue("pasted"), Testkit.HOST).certificates
        assertEquals(2, pasted.size)
        assertArrayEquals(Testkit.certificate("other_root"), pasted.last())
    }

    @Test
    fun `an end-entity that is trusted itself is its own path`() {
        val chain = Testkit.chains.getValue("self_signed")
        val trust = SystemTrust(Testkit.keyStore("self_signed"))
        assertArrayEquals(chain[0], trust.verify(chain, Testkit.HOST).certificates.single())
    }

    @Test
    suspend fun `what is not trusted is refused for its own reason`() {
        val expected =
            mapOf(
                "expired" to Reason.EXPIRED,
                "not_yet_valid" to Reason.NOT_YET_VALID,
                "impostor" to Reason.UNKNOWN_ISSUER,
                "private" to Reason.UNKNOWN_ISSUER,
                "self_signed" to Reason.UNKNOWN_ISSUER,
                "self_signed_ca" to Reason.UNKNOWN_ISSUER,
                "wrong_host" to Reason.WRONG_HOST,
            )
        for ((server, reason) in expected) {
            val error = refused<PinfoldException.Untrusted>(server)
            assertEquals(reason, error.reason, error.message)
            assertEquals("certificate_${reason.name.lowercase()}", error.code)
            assertEquals(Testkit.pin(server), error.certificate.presentedPin, server)
        }
    }

    @Test
    suspend fun `a leaf that signs is no authority`() {
        val error = refused<PinfoldException.Untrusted>("leaf_signs")
        assertTrue(error.reason in setOf(Reason.INVALID, Reason.UNKNOWN_ISSUER), error.message)
    }

    @Test
    suspend fun `another trusted authority is a mismatch, whatever else is presented`() {
        for (server in listOf("interceptor", "pasted", "same_name_ca")) {
            val error = refused<PinfoldException.PinMismatch>(server)
            assertEquals("pin_mismatch", error.code)
            assertEquals(Testkit.pin(server), error.certificate.presentedPin)
        }
    }

    @Test
    suspend fun `a blocked root is refused, and a path to another one is not`() {
        val pins =
            PinSet.build {
                blockedSpki = listOf(Testkit.pin("root"))
                host(Testkit.HOST) {
                    pin(Testkit.pin("backend"), at = PinAt.LEAF)
                    backup(Testkit.pin("backup"))
                }
            }
        val error = refused<PinfoldException.BlockedKey>("backend", pins)
        assertEquals("blocked_key", error.code)
        assertEquals(Testkit.pin("backend"), error.certificate.presentedPin)
        assertInstanceOf<Pinning.Matched>(pinning("cross", pins))
    }

    @Test
    suspend fun `by default the JVM's authorities count, and testkit's is none of them`() {
        Testkit.client { roots = Roots.System }.use { client ->
            val error =
                assertThrows<PinfoldException.Untrusted> { client.get(Testkit.url("/")) }
            assertEquals(Reason.UNKNOWN_ISSUER, error.reason, error.message)
        }
    }

    @Test
    fun `a trust store without authorities can judge nothing`() {
        val empty = SystemTrust(Testkit.keyStore())
        val chain = Testkit.chains.getValue("backend")
        repeat(2) {
            val error =
                assertThrows<TrustFailure.Unverified> { empty.verify(chain, Testkit.HOST) }
            assertTrue(error.reason.contains("non-empty"), error.reason)
        }
    }

    @Test
    fun `what is no certificate is invalid, and ignored above the end-entity`() {
        val chain = listOf("backend", "intermediate").map { Testkit.certificate(it) }
        for (junk in listOf(ByteArray(0), byteArrayOf(0x30, 0), ByteArray(1_000))) {
            assertThrows<TrustFailure.Invalid> { trust.verify(listOf(junk) + chain, Testkit.HOST) }
            val verified = trust.verify(listOf(chain[0], junk, chain[1]), Testkit.HOST)
            assertEquals(3, verified.certificates.size)
        }
        assertThrows<TrustFailure> { trust.verify(emptyList(), Testkit.HOST) }
    }

    @Test
    fun `a client that is closed lets go of it`() {
        fun usedAndClosed(): WeakReference<SystemTrust> {
            val trust = SystemTrust(Testkit.keyStore("root"))
            val configure: ClientConfig.() -> Unit = {
                roots = Roots.System
                systemTrust = trust
            }
            Testkit.client(configure = configure).use { client ->
                client.sendBlocking(Request(Method.GET, Testkit.url("/")))
            }
            return WeakReference(trust)
        }
        val trust = usedAndClosed()
        awaitTrue {
            System.gc()
            trust.get() == null
        }
    }

    private fun client(
        server: String,
        pins: PinSet,
    ) = Testkit.client(server, pins) {
        roots = Roots.System
        systemTrust = trust
    }

    private suspend fun pinning(
        server: String,
        pins: PinSet,
    ) = client(server, pins).use { it.get(Testkit.url("/")).pinning }

    private suspend inline fun <reified T : PinfoldException> refused(
        server: String,
        pins: PinSet = Testkit.pins,
    ): T = client(server, pins).use { assertThrows<T>(server) { it.get(Testkit.url("/")) } }
}
