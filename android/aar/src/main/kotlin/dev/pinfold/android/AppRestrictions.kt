package dev.pinfold.android

import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.content.RestrictionsManager
import android.os.Bundle
import dev.pinfold.ManagedConfiguration
import java.util.concurrent.atomic.AtomicInteger

/**
 * What the device's management has set for the app. It is read when it is first asked for, and
 * again after Android has said that it has changed: reading is a call to another process, which not
 * every handshake should wait for.
 *
 * @param application Listened to for as long as the app runs, because clients outlive their updater.
 */
internal class AppRestrictions(
    private val application: Context,
) : ManagedConfiguration {
    private val restrictions = application.getSystemService(RestrictionsManager::class.java)
    private val changes by lazy { AtomicInteger().also(::listen) }

    @Volatile
    private var known: Known? = null

    override fun value(key: String): String? {
        // Before reading: after a change meanwhile it is read anew.
        val now = changes.get()
        val current = known?.takeIf { it.changes == now } ?: Known(now, read()).also { known = it }
        return current.values[key]
    }

    private fun read(): Map<String, String> {
        val bundle = restrictions?.applicationRestrictions ?: return emptyMap()
        return bundle.keySet().mapNotNull { key -> bundle.text(key)?.let { key to it } }.toMap()
    }

    /** Null for what is no text; unlike `getString`, which writes a stack trace to the log. */
    @Suppress("DEPRECATION")
    private fun Bundle.text(key: String) = get(key) as? String

    private fun listen(changes: AtomicInteger) {
        val receiver =
            object : BroadcastReceiver() {
                override fun onReceive(
                    context: Context,
                    intent: Intent,
                ) {
                    changes.incrementAndGet()
                }
            }
        // Only the system can send it, so there is nothing to say about who may.
        val filter = IntentFilter(Intent.ACTION_APPLICATION_RESTRICTIONS_CHANGED)
        application.registerReceiver(receiver, filter)
    }

    /** [values] after so many [changes]. */
    private class Known(
        val changes: Int,
        val values: Map<String, String>,
    )
}
