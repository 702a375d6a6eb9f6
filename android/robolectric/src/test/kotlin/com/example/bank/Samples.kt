@file:Suppress("unused") // That most of them compile is enough.

package com.example.bank

import android.app.Activity
import android.app.Application
import android.os.Bundle
import dev.pinfold.PinSetUpdater
import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.android.PinSetUpdater
import dev.pinfold.android.PinnedClient
import dev.pinfold.debug.debugPinSet
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.launch
import java.util.concurrent.Executor

/** What the samples have from androidx: a scope whose coroutines run on the main thread. */
abstract class ComponentActivity : Activity() {
    val lifecycleScope = CoroutineScope(Executor { runOnUiThread(it) }.asCoroutineDispatcher())

    /** What the user sees. */
    val shown = mutableListOf<String>()

    fun show(text: String) {
        shown += text
    }
}

class BankApp : Application() {
    val pins by lazy { PinSetUpdater(this) }
    val client by lazy { PinnedClient(this, pins) }
}

class AccountActivity : ComponentActivity() {
    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val client = (application as BankApp).client
        lifecycleScope.launch {
            try {
                show(client.get("https://api.example.com/v1/me").text())
            } catch (e: PinfoldException) {
                show("${e.code}: ${e.interception?.message ?: e.message}")
            }
        }
    }
}

/** In `src/debug`, where `src/release` has the app's own client. */
fun debugClient(
    app: BankApp,
    mitmproxy: Int,
): PinnedClient = PinnedClient(app, debugPinSet(app, app.pins.pins.hosts, mitmproxy))
