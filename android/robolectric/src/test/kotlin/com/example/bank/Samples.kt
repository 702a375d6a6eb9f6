@file:Suppress("unused") // That they compile is enough.

package com.example.bank

import android.app.Application
import dev.pinfold.PinSetUpdater
import dev.pinfold.PinnedClient
import dev.pinfold.android.PinSetUpdater
import dev.pinfold.android.PinnedClient
import dev.pinfold.debug.debugPinSet
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

class BankApp : Application() {
    val pins: PinSetUpdater by lazy { PinSetUpdater(this) }
    val client: PinnedClient by lazy { PinnedClient(this, pins) }
}

suspend fun me(app: BankApp): String =
    withContext(Dispatchers.IO) { app.client.get("https://api.example.com/v1/me").text() }

/** In `src/debug`, where `src/release` has the app's own client. */
fun debugClient(
    app: BankApp,
    mitmproxy: Int,
): PinnedClient = PinnedClient(app, debugPinSet(app, app.pins.pins.hosts, mitmproxy))
