package dev.pinfold.android

import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.UserManager
import dev.pinfold.PinSetUpdateException
import dev.pinfold.PinSetUpdater
import dev.pinfold.PinfoldException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import java.lang.ref.WeakReference

/**
 * Has [updater] look at its storage again when the user unlocks the device, where that is still to
 * come and [storage] is locked until then.
 */
internal fun refreshOnUnlock(
    storage: Context,
    application: Context,
    updater: PinSetUpdater,
) {
    val users = application.getSystemService(UserManager::class.java) ?: return
    if (storage.isDeviceProtectedStorage || users.isUserUnlocked) return
    val unlocked = Unlocked(updater)
    application.registerReceiver(unlocked, IntentFilter(Intent.ACTION_USER_UNLOCKED))
    // It may have happened just before.
    if (users.isUserUnlocked) unlocked.refresh()
}

private class Unlocked(
    updater: PinSetUpdater,
) : BroadcastReceiver() {
    private val updater = WeakReference(updater)

    override fun onReceive(
        context: Context,
        intent: Intent,
    ) {
        context.unregisterReceiver(this)
        refresh()
    }

    fun refresh() {
        val updater = updater.get() ?: return
        CoroutineScope(Dispatchers.IO).launch {
            try {
                updater.refreshIfDue()
            } catch (_: PinSetUpdateException) {
                // The status and the updater's events tell it.
            } catch (_: PinfoldException) {
                // The app was built wrongly: its first request says so.
            } catch (_: IllegalStateException) {
                // The updater is closed.
            }
        }
    }
}
