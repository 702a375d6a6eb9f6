package dev.pinfold

import android.content.Context
import android.os.Handler
import android.os.Looper
import com.example.bank.AccountActivity
import com.example.bank.BankApp
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import java.util.concurrent.Executor
import kotlin.time.Duration
import dev.pinfold.android.PinSetUpdater as androidPinSetUpdater
import dev.pinfold.android.PinnedClient as androidPinnedClient

/** Android's main thread, which nothing may block. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], manifest = Config.NONE)
class AndroidMainThreadTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val handler = Handler(Looper.getMainLooper())
    private val main = Executor { check(handler.post(it)) }.asCoroutineDispatcher()

    @Test
    fun `what blocks is refused there, and works elsewhere`() {
        val app = App(1, "backend")
        App.publish(2, "backend")
        app.updater().use { updater ->
            updater.client().use { client ->
                val get = Request(Method.GET, Testkit.url("/"))
                val calls =
                    mapOf<String, () -> Unit>(
                        "sendBlocking()" to { client.sendBlocking(get) },
                        "refreshBlocking()" to { updater.refreshBlocking() },
                        "refreshIfDueBlocking()" to { updater.refreshIfDueBlocking() },
                    )
                for ((name, call) in calls) {
                    val error =
                        assertThrows(name, IllegalStateException::class.java) { onMain { call() } }
                    val message = error.message!!
                    assertTrue(message, message.startsWith(name.trim()))
                    assertTrue(message, message.contains("Android's main thread"))
                    call()
                }
            }
        }
    }

    @Test
    fun `what suspends is at home there, and so is what does not wait`() {
        val app = App(1, "backend")
        App.publish(2, "backend")
        app.updater().use { updater ->
            updater.client().use { client ->
                onMain {
                    assertEquals(Refreshed.UPDATED, updater.refresh())
                    assertNull(updater.refreshIfDue())
                    assertEquals("ok", client.get(Testkit.url("/")).text())
                    assertEquals(2, updater.status().order.pinset)
                    client.closeIdleConnections()
                    client.close()
                }
            }
        }
    }

    @Test
    fun `what is made there works there, and does its work with the first call`() {
        val app = App(1, "backend")
        App.publish(2, "backend")
        onMain {
            Testkit.client().use { assertEquals("ok", it.get(Testkit.url("/")).text()) }
            val updater = app.updater()
            val client = updater.client()
            // A client outlives its updater, opened or not.
            val orphan = updater.client()
            assertEquals("ok", client.get(Testkit.url("/")).text())
            // The request has begun a look by itself, which may have landed by now.
            updater.refresh()
            assertEquals(2, updater.status().order.pinset)
            updater.close()
            assertThrows(IllegalStateException::class.java) { updater.status() }
            assertThrows(IllegalStateException::class.java) { updater.client() }
            assertEquals("ok", orphan.get(Testkit.url("/")).text())
            androidPinSetUpdater(context, app.embedded).use { other ->
                androidPinnedClient(context, other).use { it.closeIdleConnections() }
                assertEquals(1, other.status().order.pinset)
            }
        }
    }

    @Test
    fun `what is closed there before its first call stays closed`() {
        onMain {
            val client = Testkit.client()
            client.close()
            val error = runCatching { client.get(Testkit.url("/")) }.exceptionOrNull()
            assertTrue("$error", error is PinfoldException.ClientClosed)
            val updater = App(1, "backend").updater()
            updater.close()
            val closed = runCatching { updater.refresh() }.exceptionOrNull()
            assertEquals("the updater is closed", closed!!.message)
        }
    }

    @Test
    fun `what is wrong with a setting is told at once or by the first call`() {
        onMain {
            assertThrows(PinfoldException.InvalidConfig::class.java) {
                Testkit.client { maxRedirects = -1 }
            }
            val client = Testkit.client { timeout = Duration.ZERO }
            repeat(2) {
                val error = runCatching { client.get(Testkit.url("/")) }.exceptionOrNull()
                assertTrue("$error", error is PinfoldException.InvalidConfig)
            }
            val broken = PinSetUpdater("{}".encodeToByteArray()).client()
            val error = runCatching { broken.get(Testkit.url("/")) }.exceptionOrNull()
            assertTrue("$error", error is PinfoldException.InvalidPinSet)
        }
    }

    /** Word for word: its host has no entry in the app's pin set, and that is what the user sees. */
    @Test
    @Config(application = BankApp::class)
    fun `the README's activity`() {
        installAssets(mapOf("pinfold.json" to App(1, "backend").embedded))
        val activity =
            onMain { Robolectric.buildActivity(AccountActivity::class.java).create().get() }
        val shown = generateSequence { onMain { activity.shown.toList() }.also { Thread.yield() } }
        val text = shown.first { it.isNotEmpty() }.single()
        assertTrue(text, text.startsWith("host_not_pinned: "))
        // Else it would hold on to a network that is gone when the next test begins.
        (activity.application as BankApp).client.close()
    }

    private fun <T> onMain(block: suspend () -> T): T =
        runBlocking { CoroutineScope(main).async { block() }.await() }
}
