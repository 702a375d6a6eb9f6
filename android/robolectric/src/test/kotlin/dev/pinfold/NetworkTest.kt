package dev.pinfold

import android.content.Context
import android.net.ConnectivityManager
import android.net.ConnectivityManager.NetworkCallback
import android.net.Network
import dev.pinfold.android.PinSetUpdater
import dev.pinfold.android.PinnedClient
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.shadows.ShadowConnectivityManager
import org.robolectric.shadows.ShadowNetwork

/** What a client does, and an updater does not need, when the device's default network changes. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], manifest = Config.NONE)
class NetworkTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val connectivity = context.getSystemService(ConnectivityManager::class.java)!!

    @Test
    fun `its connections are dropped when another network becomes default, or none is`() {
        client().use { client ->
            val callback = callbacks().single()
            val first = connection(client)
            callback.onAvailable(connectivity.activeNetwork!!)
            assertEquals("it was the same network", first, connection(client))

            val other = ShadowNetwork.newInstance(4711)
            callback.onAvailable(other)
            Testkit.awaitClosed("backend", first)
            val second = connection(client)
            assertNotEquals(first, second)

            callback.onLost(other)
            Testkit.awaitClosed("backend", second)
            val third = connection(client)
            // The same one, but what was connected meanwhile was not over it.
            callback.onAvailable(other)
            Testkit.awaitClosed("backend", third)
            callback.onAvailable(other)
            assertEquals(connection(client), connection(client))
        }
    }

    @Test
    fun `clients share one callback, which is gone with the last of them`() {
        val clients = List(2) { client() }
        val callback = callbacks().single()
        val connections = clients.map { connection(it) }
        callback.onLost(connectivity.activeNetwork!!)
        connections.forEach { Testkit.awaitClosed("backend", it) }
        clients[0].close()
        assertEquals(setOf(callback), callbacks())
        clients[1].close()
        assertEquals(emptySet<NetworkCallback>(), callbacks())
        // One that was on its way.
        callback.onAvailable(connectivity.activeNetwork!!)
        client().use { assertEquals(1, callbacks().size) }
    }

    @Test
    fun `nobody is kept alive by it`() {
        client()
        val callback = callbacks().single()
        var round = 0
        awaitTrue {
            System.gc()
            callback.onAvailable(ShadowNetwork.newInstance(round++))
            callbacks().isEmpty()
        }
    }

    @Test
    fun `an updater has no connection that a change of networks could leave dead`() {
        val app = App(1, "backend")
        PinSetUpdater(context, app.embedded) { onTestkit() }.use { updater ->
            App.publish(2, "backend")
            assertEquals(Refreshed.UPDATED, updater.refreshBlocking())
            val fetch = Testkit.await(App.SERVER, "request") { it.text("path") == app.path }
            Testkit.awaitClosed(App.SERVER, fetch.long("conn"))
        }
    }

    @Test
    @Config(shadows = [NoPermission::class])
    fun `without the permission it is a client like any other`() {
        client().use { client ->
            assertEquals(connection(client), connection(client))
        }
        assertTrue(callbacks().isEmpty())
    }

    private fun callbacks(): Set<NetworkCallback> = shadowOf(connectivity).networkCallbacks.toSet()

    private fun client() =
        PinnedClient(context, Testkit.pins) {
            roots = Roots.Only(listOf(Testkit.certificate("root")))
            connectTo(Testkit.HOST, 443, "127.0.0.1:${Testkit.port("backend")}")
        }

    /** The connection that [client] uses for a request. */
    private fun connection(client: PinnedClient): Long {
        val path = "/?network${count++}"
        client.sendBlocking(Request(Method.GET, Testkit.url(path)))
        return Testkit.awaitRequest(path)
    }

    /** What Android does where the permission is missing. */
    @Implements(ConnectivityManager::class)
    class NoPermission : ShadowConnectivityManager() {
        @Implementation
        override fun registerDefaultNetworkCallback(callback: NetworkCallback): Unit =
            throw SecurityException("ACCESS_NETWORK_STATE")

        @Implementation
        override fun getActiveNetwork(): Network = throw SecurityException("ACCESS_NETWORK_STATE")
    }

    private companion object {
        var count = 0
    }
}
