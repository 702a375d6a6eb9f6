package com.example.bank

import android.app.Application
import dev.pinfold.android.PinSetUpdater
import dev.pinfold.android.PinnedClient

/** What Android adds; it is only compiled. */
class BankApp : Application() {
    val pins by lazy { PinSetUpdater(this) { onEvent = { println("pins: $it") } } }
    val client by lazy { PinnedClient(this, pins) { userAgent = "bank" } }
}
