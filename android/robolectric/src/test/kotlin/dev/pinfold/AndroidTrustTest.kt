package dev.pinfold

import dev.pinfold.InterceptionReport.Confidence
import dev.pinfold.InterceptionReport.Kind
import dev.pinfold.PinfoldException.Untrusted.Reason
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** [Roots.System] by Android's own trust manager and Network Security Config. */
@RunWith(RobolectricTestRunner::class)
@Config(
    sdk = [35],
    manifest = Config.NONE,
    shadows = [NoLogs::class],
    instrumentedPackages = ["com.android.org.conscrypt.ct"],
)
class AndroidTrustTest {
    @Before
    fun `the app has no config of its own`() = Device.configure()

    @Test
    fun `pins of every level match on Android's path, the root's too`() {
        for (name in listOf("backend", "intermediate", "root")) {
            val pins = Testkit.pinSet { pin(Testkit.pin(name)) }
            assertEquals(Testkit.pin(name), matched("backend", pins))
        }
        for (server in listOf("backend_root", "deep", "rsa", "rotated", "tls12")) {
            assertEquals(Testkit.pin("intermediate"), matched(server))
        }
    }

    @Test
    fun `what is not trusted is refused for its own reason`() {
        val expected =
            mapOf(
                "expired" to Reason.EXPIRED,
                "not_yet_valid" to Reason.NOT_YET_VALID,
                "impostor" to Reason.UNKNOWN_ISSUER,
                "private" to Reason.UNKNOWN_ISSUER,
                "self_signed" to Reason.UNKNOWN_ISSUER,
                "wrong_host" to Reason.WRONG_HOST,
            )
        for ((server, reason) in expected) {
            val error = refused<PinfoldException.Untrusted>(server)
            assertEquals("$server: ${error.message}", reason, error.reason)
        }
    }

    @Test
    fun `an authority that the user has added counts only where the app says so`() {
        val untrusted = refused<PinfoldException.Untrusted>("interceptor")
        assertEquals(Reason.UNKNOWN_ISSUER, untrusted.reason)

        Device.configure(base = { trustUser() })
        val mismatch = refused<PinfoldException.PinMismatch>("interceptor")
        val report = mismatch.interception!!
        assertEquals(Kind.LOCAL_AUTHORITY, report.kind)
        assertEquals(Confidence.CERTAIN, report.confidence)
        assertEquals(listOf("added_authority", "not_public"), report.evidence.map { it.code })
        assertEquals("Interception Authority", report.authority)
    }

    @Test
    fun `an authority of the device's maker is not the user's`() {
        Device.configure(base = { trustUser() })
        val other = Testkit.pinSet { pin(Testkit.pin("rotated")) }
        val report = refused<PinfoldException.PinMismatch>("backend", other).interception!!
        assertEquals(Kind.LOCAL_AUTHORITY, report.kind)
        assertEquals(Confidence.LIKELY, report.confidence)
        assertEquals(listOf("not_public"), report.evidence.map { it.code })
    }

    @Test
    fun `a pinned chain that is pasted behind the user's authority does not help`() {
        Device.configure(base = { trustUser() })
        for (server in listOf("pasted", "same_name_ca")) {
            val error = refused<PinfoldException.PinMismatch>(server)
            assertEquals(Kind.LOCAL_AUTHORITY, error.interception?.kind)
        }
    }

    @Test
    fun `the config of a domain holds for the host asked for`() {
        Device.configure(domain = { trustUser() })
        val error = refused<PinfoldException.Untrusted>("backend")
        assertEquals(error.message, Reason.UNKNOWN_ISSUER, error.reason)
        refused<PinfoldException.PinMismatch>("interceptor")
        val pins = Testkit.pinSet { pin(Testkit.pin("other_root")) }
        assertEquals(Testkit.pin("other_root"), matched("interceptor", pins))
    }

    @Test
    fun `pins of the config hold besides`() {
        Device.configure(domain = { pin(Testkit.pin("intermediate")) })
        assertEquals(Testkit.pin("intermediate"), matched("backend"))
        Device.configure(domain = { pin(Testkit.pin("backup")) })
        val error = refused<PinfoldException.Untrusted>("backend")
        assertEquals(Reason.INVALID, error.reason)
        assertTrue(error.message, error.message.contains("Pin verification failed"))
        assertNull(error.interception)
    }

    private fun request(
        server: String,
        pins: PinSet,
    ) = Testkit.client(server, pins) { roots = Roots.System }.use { client ->
        client.sendBlocking(Request(Method.GET, Testkit.url("/")))
    }

    private fun matched(
        server: String,
        pins: PinSet = Testkit.pins,
    ) = (request(server, pins).pinning as Pinning.Matched).pin

    private inline fun <reified T : PinfoldException> refused(
        server: String,
        pins: PinSet = Testkit.pins,
    ): T = assertThrows(server, T::class.java) { request(server, pins) }
}
