package dev.pinfold

import android.content.Context
import android.net.ConnectivityManager
import android.net.ProxyInfo
import dev.pinfold.android.PinnedClient
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** The proxy of the network that a device is in. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], manifest = Config.NONE)
class NetworkProxyTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val connectivity = context.getSystemService(ConnectivityManager::class.java)!!

    @After
    fun withoutProxy() = configure(null)

    @Test
    fun `a client goes through it by default, but to excluded hosts`() {
        Testkit.clear("proxy")
        configure(ProxyInfo.buildDirectProxy("127.0.0.1", Testkit.port("proxy")))
        get()
        assertEquals(listOf("127.0.0.1:${Testkit.port("backend")}"), targets())
        val excluded = listOf(Testkit.HOST)
        configure(ProxyInfo.buildDirectProxy("127.0.0.1", Testkit.port("proxy"), excluded))
        get()
        assertEquals(1, targets().size)
        configure(null)
        get()
        assertEquals(1, targets().size)
    }

    @Test
    fun `a client does not where it is told so, and says which proxy refused where it does`() {
        configure(ProxyInfo.buildDirectProxy("127.0.0.1", Testkit.port("proxy_refusing")))
        get { proxies = Proxies.None }
        val error = assertThrows(PinfoldException.ProxyRefused::class.java) { get() }
        assertEquals("http://127.0.0.1:${Testkit.port("proxy_refusing")}", error.proxy)
        assertEquals(403, error.status)
    }

    @Test
    fun `the open connections of another network's proxy are not used`() {
        Testkit.clear("proxy")
        client().use { client ->
            client.sendBlocking(Request(Method.GET, Testkit.url("/")))
            configure(ProxyInfo.buildDirectProxy("127.0.0.1", Testkit.port("proxy")))
            // As the network's change does.
            client.closeIdleConnections()
            client.sendBlocking(Request(Method.GET, Testkit.url("/")))
            assertEquals(1, targets().size)
        }
    }

    /** What Android does when the network has a proxy, in its own code. */
    private fun configure(proxy: ProxyInfo?) {
        shadowOf(connectivity).setProxyForNetwork(connectivity.activeNetwork, proxy)
        connectivity.bindProcessToNetwork(connectivity.activeNetwork)
        val set =
            android.net.Proxy::class.java
                .getDeclaredMethod("setHttpProxyConfiguration", ProxyInfo::class.java)
        set.isAccessible = true
        set.invoke(null, connectivity.defaultProxy)
    }

    private fun get(configure: ClientConfig.() -> Unit = {}) {
        client(configure).use { it.sendBlocking(Request(Method.GET, Testkit.url("/"))) }
    }

    private fun client(configure: ClientConfig.() -> Unit = {}) =
        PinnedClient(context, Testkit.pins) {
            roots = Roots.Only(listOf(Testkit.certificate("root")))
            connectTo(Testkit.HOST, 443, "127.0.0.1:${Testkit.port("backend")}")
            configure()
        }

    private fun targets() = Testkit.events("proxy", "request").map { it.text("path") }
}
