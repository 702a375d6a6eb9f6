package dev.pinfold

import com.sun.jna.Native
import dev.pinfold.PinfoldException.Untrusted.Reason
import dev.pinfold.internal.PlatformTrust
import dev.pinfold.internal.TrustFailure
import dev.pinfold.internal.TrustedPath
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import java.util.concurrent.CountDownLatch
import java.util.concurrent.atomic.AtomicReference
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

/** Platforms that are wrong, hostile or stuck: what they say is never worth more than it proves. */
class PlatformTrustTest {
    private val system = SystemTrust(Testkit.keyStore("root", "other_root"))

    @Test
    suspend fun `it is asked for what was presented and for the host, on a thread of its own`() {
        val asked = AtomicReference<Pair<List<ByteArray>, String>>()
        val thread = AtomicReference<Thread>()
        val trust =
            trust { chain, host ->
                asked.set(chain to host)
                thread.set(Thread.currentThread())
                system.verify(chain, host)
            }
        assertInstanceOf<Pinning.Matched>(pinning(trust))
        // Else one that hangs would keep the JVM from ending.
        assertTrue(thread.get().isDaemon)
        assertEquals("pinfold-trust", thread.get().name)
        val (chain, host) = asked.get()
        assertEquals(Testkit.HOST, host)
        val expected = Testkit.chains.getValue("backend")
        assertEquals(expected.map { it.toList() }, chain.map { it.toList() })
    }

    @Test
    suspend fun `every reason arrives as its own`() {
        val reasons =
            mapOf(
                TrustFailure.Expired() to Reason.EXPIRED,
                TrustFailure.Invalid("s0 it is") to Reason.INVALID,
                TrustFailure.NotYetValid() to Reason.NOT_YET_VALID,
                TrustFailure.Revoked() to Reason.REVOKED,
                TrustFailure.UnknownIssuer() to Reason.UNKNOWN_ISSUER,
                TrustFailure.Unverified("s0 it is") to Reason.UNVERIFIED,
                TrustFailure.WrongHost() to Reason.WRONG_HOST,
            )
        for ((failure, reason) in reasons) {
            val error = untrusted(trust { _, _ -> throw failure })
            assertEquals(reason, error.reason)
            val isExplained = reason == Reason.INVALID || reason == Reason.UNVERIFIED
            assertEquals(isExplained, error.message.contains("s0 it is"), error.message)
        }
    }

    @Test
    suspend fun `one that throws something else cannot judge, and the app is told why`() {
        val failure = IllegalStateException("the store is broken")
        val error = untrusted(trust { _, _ -> throw failure })
        assertEquals(Reason.UNVERIFIED, error.reason)
        assertEquals("certificate_unverified", error.code)
        assertEquals(Testkit.pin("backend"), error.certificate.presentedPin)
        assertTrue(error.message.contains("the store is broken"), error.message)
    }

    @Test
    suspend fun `one that throws an error, which UniFFI does not catch, cannot judge either`() {
        val caught = AtomicReference<Throwable>()
        val handler = Native.getCallbackExceptionHandler()
        Native.setCallbackExceptionHandler { _, e -> caught.set(e) }
        try {
            val error = untrusted(trust { _, _ -> throw StackOverflowError() })
            assertEquals("certificate_unverified", error.code)
            assertInstanceOf<StackOverflowError>(caught.get())
        } finally {
            Native.setCallbackExceptionHandler(handler)
        }
    }

    @Test
    suspend fun `a path for another end-entity is no answer`() {
        for (other in listOf("rotated", "pasted")) {
            val path = Testkit.chains.getValue(other)
            val error = untrusted(trust { _, _ -> TrustedPath(path, null) })
            assertEquals("certificate_unverified", error.code)
            assertEquals(Testkit.pin("backend"), error.certificate.presentedPin)
        }
    }

    @Test
    suspend fun `a path that is hidden, too short or too long decides nothing`() {
        val full = Testkit.chains.getValue("backend_root")
        val paths =
            listOf(
                emptyList(),
                full.take(1),
                full.take(2),
                full,
                full + full.last(),
                full + Testkit.certificate("other_root"),
            )
        for ((i, path) in paths.withIndex()) {
            val trust = trust { _, _ -> TrustedPath(path, null) }
            val matched = assertInstanceOf<Pinning.Matched>(pinning(trust), "$i")
            assertEquals(Testkit.pin("intermediate"), matched.pin)
            // A pin is matched by what is proved, not by what is claimed.
            val elsewhere = Testkit.pinSet { pin(Testkit.pin("other_root")) }
            assertThrows<PinfoldException.PinMismatch>("$i") { pinning(trust, pins = elsewhere) }
        }
    }

    @Test
    suspend fun `a presented chain that it takes for verified does not help`() {
        val trust = trust { chain, _ -> TrustedPath(chain, null) }
        val error =
            assertThrows<PinfoldException.PinMismatch> { pinning(trust, server = "pasted") }
        assertEquals(Testkit.pin("pasted"), error.certificate.presentedPin)
    }

    @Test
    suspend fun `the host name is not its business`() {
        val trust = trust { chain, _ -> TrustedPath(chain, null) }
        val error =
            assertThrows<PinfoldException.Untrusted> { pinning(trust, server = "wrong_host") }
        assertEquals(Reason.WRONG_HOST, error.reason)
    }

    @Test
    suspend fun `one that hangs does not hang the call`() {
        val release = CountDownLatch(1)
        val done = CountDownLatch(1)
        val trust =
            trust { chain, host ->
                release.await()
                system.verify(chain, host).also { done.countDown() }
            }
        try {
            client(trust) { connectTimeout = 300.milliseconds }.use { client ->
                val taken =
                    measureTime {
                        val error =
                            assertThrows<PinfoldException.Timeout> { client.get(Testkit.url("/")) }
                        assertEquals("timeout_trust", error.code)
                        assertEquals(PinfoldException.Timeout.Phase.TRUST, error.phase)
                        assertEquals(Testkit.HOST, error.host)
                    }
                assertTrue(taken in 250.milliseconds..4.seconds, "took $taken")
                release.countDown()
                done.await()
                // Its late answer has harmed nothing.
                assertEquals(200, client.get(Testkit.url("/")).status)
            }
        } finally {
            release.countDown()
        }
    }

    @Test
    suspend fun `an authority that was added to the device is told apart`() {
        for (isAdded in listOf(true, false)) {
            val trust =
                trust { chain, host -> system.verify(chain, host).copy(addedAuthority = isAdded) }
            val error =
                assertThrows<PinfoldException.PinMismatch> {
                    pinning(trust, server = "interceptor")
                }
            val report = error.interception!!
            val local = InterceptionReport.Kind.LOCAL_AUTHORITY
            val expected =
                when {
                    isAdded -> {
                        local to InterceptionReport.Confidence.CERTAIN
                    }

                    Testkit.hasPublicRoots -> {
                        local to InterceptionReport.Confidence.LIKELY
                    }

                    // It may be a public one then, as far as anybody can tell.
                    else -> {
                        InterceptionReport.Kind.ROTATED_OR_MISISSUED to
                            InterceptionReport.Confidence.POSSIBLE
                    }
                }
            assertEquals(expected, report.kind to report.confidence)
            assertEquals(isAdded, report.evidence.any { it.code == "added_authority" })
            assertEquals("Interception Authority", report.authority)
        }
    }

    @Test
    suspend fun `it is not asked where other authorities count`() {
        val nobody = trust { _, _ -> error("asked") }
        val only = Roots.Only(listOf(Testkit.certificate("root")))
        client(nobody) { roots = only }.use { client ->
            assertEquals(200, client.get(Testkit.url("/")).status)
        }
        val ours =
            Testkit.pinSet {
                trust = Trust.PRIVATE_CA
                anchor(Testkit.certificate("root"))
                pin(Testkit.pin("intermediate"))
            }
        assertInstanceOf<Pinning.Matched>(pinning(nobody, pins = ours))
        assertFalse(ClientConfig().apply { roots = only }.trust() is SystemTrust)
    }

    private fun trust(judge: (List<ByteArray>, String) -> TrustedPath) =
        object : PlatformTrust {
            override fun verify(
                chain: List<ByteArray>,
                host: String,
            ) = judge(chain, host)
        }

    private fun client(
        trust: PlatformTrust,
        server: String = "backend",
        pins: PinSet = Testkit.pins,
        configure: ClientConfig.() -> Unit = {},
    ) = Testkit.client(server, pins) {
        roots = Roots.System
        systemTrust = trust
        configure()
    }

    private suspend fun pinning(
        trust: PlatformTrust,
        server: String = "backend",
        pins: PinSet = Testkit.pins,
    ) = client(trust, server, pins).use { it.get(Testkit.url("/")).pinning }

    private suspend fun untrusted(trust: PlatformTrust): PinfoldException.Untrusted =
        assertThrows { pinning(trust) }
}
