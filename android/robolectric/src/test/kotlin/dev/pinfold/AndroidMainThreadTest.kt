package dev.pinfold

import android.content.Context
import android.os.Handler
import android.os.Looper
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
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import java.util.concurrent.Executor
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
                        "PinnedClient()" to { Testkit.client().close() },
                        "PinnedClient() " to { updater.client().close() },
                        "PinnedClient()  " to { androidPinnedClient(context, updater).close() },
                        "PinSetUpdater()" to { app.updater().close() },
                        "PinSetUpdater() " to {
                            androidPinSetUpdater(context, app.embedded).close()
                        },
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

    private fun <T> onMain(block: suspend () -> T): T =
        runBlocking { CoroutineScope(main).async { block() }.await() }
}
