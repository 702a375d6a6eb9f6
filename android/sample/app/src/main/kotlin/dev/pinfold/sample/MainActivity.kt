package dev.pinfold.sample

import android.app.Activity
import android.net.Uri
import android.os.Bundle
import android.util.Base64
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.Switch
import android.widget.TextView
import dev.pinfold.PinSet
import dev.pinfold.PinSetUpdateException
import dev.pinfold.PinSetUpdater
import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.security.MessageDigest

/** Sends a request, and shows what became of it and how the pin set stands. */
class MainActivity : Activity() {
    private val app get() = application as SampleApp
    private val scope = MainScope()

    private val url: EditText by view(R.id.url)
    private val simulate: Switch by view(R.id.simulate)
    private val send: Button by view(R.id.send)
    private val update: Button by view(R.id.update)
    private val status: TextView by view(R.id.status)
    private val verdict: TextView by view(R.id.verdict)

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.main)
        if (BuildConfig.DEBUG) simulate.visibility = View.VISIBLE
        send.setOnClickListener { scope.launch { sendRequest() } }
        update.setOnClickListener { scope.launch { updatePins { refresh() } } }
        scope.launch { app.events.collect { showStatus() } }
    }

    /** The pin set is looked after whenever the app comes to the foreground. */
    override fun onStart() {
        super.onStart()
        scope.launch { updatePins { refreshIfDue() } }
    }

    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }

    private suspend fun sendRequest() {
        send.isEnabled = false
        verdict.setText(R.string.sending)
        val url = url.text.toString()
        verdict.text =
            try {
                val misfit = BuildConfig.DEBUG && simulate.isChecked
                describe(if (misfit) getWithMisfit(url) else client().get(url))
            } catch (e: PinfoldException) {
                describe(e)
            }
        send.isEnabled = true
        showStatus()
    }

    private suspend fun updatePins(refresh: suspend PinSetUpdater.() -> Unit) {
        update.isEnabled = false
        try {
            updater().refresh()
        } catch (_: PinSetUpdateException) {
            // The status tells it.
        }
        update.isEnabled = true
        showStatus()
    }

    private suspend fun showStatus() {
        status.text = describe(updater().status(), app.events.replayCache.lastOrNull())
    }

    // Making them loads the native library and reads the store.

    private suspend fun updater() = withContext(Dispatchers.IO) { app.pinSetUpdater }

    private suspend fun client() = withContext(Dispatchers.IO) { app.client }

    private fun <T : View> view(id: Int): Lazy<T> = lazy { checkNotNull(findViewById(id)) }

    /**
     * What an interceptor with a certificate that the device trusts would meet: a real connection,
     * and a pin set that does not fit it.
     */
    private suspend fun getWithMisfit(url: String) =
        withContext(Dispatchers.IO) {
            val pins =
                PinSet.build {
                    host(Uri.parse(url).host.orEmpty()) {
                        pin(pinOfNothing("first"))
                        backup(pinOfNothing("second"))
                    }
                }
            PinnedClient(pins).use { it.get(url) }
        }

    /** A pin that nobody has a key for. */
    private fun pinOfNothing(name: String): String {
        val hash = MessageDigest.getInstance("SHA-256").digest(name.toByteArray())
        return "sha256/" + Base64.encodeToString(hash, Base64.NO_WRAP)
    }
}
