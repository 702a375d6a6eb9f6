package dev.pinfold.sample

import android.app.Application
import dev.pinfold.PinSetUpdater
import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import dev.pinfold.UpdateEvent
import dev.pinfold.UpdaterConfig
import dev.pinfold.android.PinSetUpdater
import dev.pinfold.android.PinnedClient
import dev.pinfold.work.PinSetUpdaterOwner
import dev.pinfold.work.PinSetWorker
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.SharedFlow

/** Has the app's one updater and its client. */
class SampleApp :
    Application(),
    PinSetUpdaterOwner {
    private val told =
        MutableSharedFlow<UpdateEvent>(replay = 1, onBufferOverflow = BufferOverflow.DROP_OLDEST)

    /** What happens to the pin set, beginning with the last that did. */
    val events: SharedFlow<UpdateEvent> get() = told

    override val pinSetUpdater by lazy {
        PinSetUpdater(this) {
            onEvent = { event -> told.tryEmit(event) }
            if (BuildConfig.DEBUG) fromServe()
        }
    }

    val client by lazy { PinnedClient(this, pinSetUpdater) }

    override fun onCreate() {
        super.onCreate()
        PinSetWorker.schedule(this)
    }

    /** Debug builds get their updates from the script `serve`, over a port that adb forwards. */
    private fun UpdaterConfig.fromServe() {
        roots = Roots.Only(listOf(asset("authority.der")))
        // Empty where it was not running when the app was built.
        val address = asset("serve.txt").decodeToString()
        if (address.isNotEmpty()) connectTo("pins.pinfold.test", 443, address)
    }

    private fun asset(name: String) = assets.open(name).use { it.readBytes() }
}
