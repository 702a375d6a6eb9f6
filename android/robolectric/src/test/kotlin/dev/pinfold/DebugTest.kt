package dev.pinfold

import android.content.Context
import android.content.ContextWrapper
import android.content.pm.ApplicationInfo
import com.android.internal.R
import dev.pinfold.debug.DebugGuard
import dev.pinfold.debug.debugPinSet
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import java.util.Base64

/** What `pinfold-debug` allows, and where it refuses to be. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], manifest = Config.NONE)
class DebugTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val authority = Testkit.certificate("other_root")

    @Test
    fun `in a debuggable app the developer's authority is accepted for the hosts, and no other`() {
        setDebuggable(true)
        val pins = debugPinSet(context, Testkit.pins.hosts, listOf(authority))
        val matched = get("interceptor", pins).pinning as Pinning.Matched
        assertEquals(PinAt.CA, matched.at)
        // Not even the servers' own certificates.
        for (server in listOf("backend", "private", "self_signed", "impostor")) {
            assertThrows(server, PinfoldException.Untrusted::class.java) { get(server, pins) }
        }
        assertThrows(PinfoldException.HostNotPinned::class.java) {
            get(
                "interceptor",
                debugPinSet(context, listOf("other.example.test"), listOf(authority)),
            )
        }
        // What the app has else is as it was.
        assertThrows(PinfoldException.PinMismatch::class.java) { get("interceptor", Testkit.pins) }
    }

    @Test
    fun `hosts are names, with what is below them, and addresses`() {
        setDebuggable(true)
        val hosts = listOf("example.test", "10.0.2.2", "::1", "other.example.")
        val pins = debugPinSet(context, hosts, listOf(authority, Testkit.certificate("root")))
        assertEquals(listOf("example.test", "10.0.2.2", "::1", "other.example"), pins.hosts)
        for (server in listOf("interceptor", "backend")) {
            assertTrue(server, get(server, pins).isSuccessful)
        }
    }

    @Test
    fun `an authority is a certificate in PEM or DER, from a resource or from elsewhere`() {
        setDebuggable(true)
        val base64 = Base64.getMimeEncoder().encodeToString(authority)
        val pem = "-----BEGIN CERTIFICATE-----\n$base64\n-----END CERTIFICATE-----\n"
        val hosts = listOf(Testkit.HOST)
        val pins = debugPinSet(context, hosts, listOf(pem.encodeToByteArray()))
        assertTrue(get("interceptor", pins).isSuccessful)
        // Android has resources, but no certificate among them.
        for (error in listOf(
            invalid { debugPinSet(context, hosts, R.raw.loaderror) },
            invalid { debugPinSet(context, hosts, listOf(byteArrayOf(1))) },
            invalid { debugPinSet(context, hosts, listOf(byteArrayOf())) },
        )) {
            assertEquals("authorities[0]", error.place)
        }
        assertThrows(PinfoldException.InvalidPinSet::class.java) {
            debugPinSet(context, hosts, emptyList<ByteArray>())
        }
    }

    @Test
    fun `in any other app it throws, and the app does not even start`() {
        setDebuggable(true)
        Robolectric.buildContentProvider(DebugGuard::class.java).create()
        setDebuggable(false)
        val debuggable =
            object : ContextWrapper(context) {
                override fun getApplicationInfo() =
                    ApplicationInfo().apply { flags = ApplicationInfo.FLAG_DEBUGGABLE }
            }
        for (other in listOf(context, debuggable)) {
            refused { debugPinSet(other, listOf(Testkit.HOST), listOf(authority)) }
            refused { debugPinSet(other, listOf(Testkit.HOST), R.raw.loaderror) }
        }
        refused { Robolectric.buildContentProvider(DebugGuard::class.java).create() }
    }

    private fun setDebuggable(isDebuggable: Boolean) {
        val info = context.applicationInfo
        val others = info.flags and ApplicationInfo.FLAG_DEBUGGABLE.inv()
        info.flags = if (isDebuggable) others or ApplicationInfo.FLAG_DEBUGGABLE else others
    }

    private fun get(
        server: String,
        pins: PinSet,
    ) = Testkit.client(server, pins).use { client ->
        client.sendBlocking(Request(Method.GET, Testkit.url("/")))
    }

    private fun invalid(block: () -> Unit) =
        assertThrows(PinfoldException.InvalidCertificate::class.java, block)

    private fun refused(block: () -> Unit) {
        val error = assertThrows(SecurityException::class.java, block)
        assertTrue(error.message!!.contains("not debuggable"))
    }
}
