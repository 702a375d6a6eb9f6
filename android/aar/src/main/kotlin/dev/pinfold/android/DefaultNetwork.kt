package dev.pinfold.android

import android.content.Context
import android.net.ConnectivityManager
import android.net.Network
import dev.pinfold.PinnedClient
import java.util.Collections
import java.util.WeakHashMap

/**
 * Has clients close their idle connections when the device's default network is lost or is another
 * one. One callback for all clients, because an app may have 100; none while there is no client.
 */
internal object DefaultNetwork {
    // Weak: clients that nobody holds any more close by themselves.
    private val clients = Collections.newSetFromMap(WeakHashMap<PinnedClient, Boolean>())
    private var watch: Watch? = null

    fun follow(
        context: Context,
        client: PinnedClient,
    ) {
        client.onClose = { forget(client) }
        synchronized(this) {
            clients += client
            if (watch == null) watch = Watch.startOrNull(context)
        }
    }

    @Synchronized
    private fun forget(client: PinnedClient) {
        clients -= client
        stopIfUnused()
    }

    private fun changed() {
        val all =
            synchronized(this) {
                stopIfUnused()
                // Not `toList`, which believes the size: one may be collected meanwhile.
                clients.mapTo(ArrayList()) { it }
            }
        // Outside the lock, which a client that is being closed waits for.
        all.forEach { it.closeIdleConnections() }
    }

    private fun stopIfUnused() {
        if (clients.isNotEmpty()) return
        watch?.stop()
        watch = null
    }

    /** What Android tells, on a thread of its own. */
    private class Watch(
        private val connectivity: ConnectivityManager,
        private var current: Network?,
    ) : ConnectivityManager.NetworkCallback() {
        // The first call is for the network that there is already.
        override fun onAvailable(network: Network) {
            if (network == current) return
            current = network
            changed()
        }

        override fun onLost(network: Network) {
            current = null
            changed()
        }

        fun stop() = connectivity.unregisterNetworkCallback(this)

        companion object {
            /** Null where the app lacks the permission, or has too many callbacks of its own. */
            fun startOrNull(context: Context): Watch? =
                try {
                    context.getSystemService(ConnectivityManager::class.java)?.let { connectivity ->
                        val watch = Watch(connectivity, connectivity.activeNetwork)
                        connectivity.registerDefaultNetworkCallback(watch)
                        watch
                    }
                } catch (_: RuntimeException) {
                    null
                }
        }
    }
}
