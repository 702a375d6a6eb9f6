package dev.pinfold

import android.content.Intent
import android.content.RestrictionsManager
import android.os.Bundle
import android.os.Looper
import dev.pinfold.android.PinSetUpdater
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** Inspection with the consent of the device's management, as Android has it. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], manifest = Config.NONE)
class RestrictionsTest {
    private val application = RuntimeEnvironment.getApplication()
    private val restrictions =
        shadowOf(application.getSystemService(RestrictionsManager::class.java))

    @Test
    fun `the managed configuration decides, and is read when it has changed only`() {
        val app = app()
        val updater = PinSetUpdater(application, app.embedded) { onTestkit() }
        updater.client("interceptor").use { client ->
            assertRefused(client)
            manage { putString(KEY, ID) }
            assertInspected(client)
            // Android says nothing, so nobody looks.
            restrictions.setApplicationRestrictions(Bundle())
            assertInspected(client)
            manage {}
            assertRefused(client)
            // Clients outlive their updater, and so does what management says.
            updater.close()
            manage { putString(KEY, ID) }
            assertInspected(client)
            for (other in listOf<Bundle.() -> Unit>(
                { putString(KEY, "acme-2025") },
                { putString("other", ID) },
                { putInt(KEY, 1) },
                { putString(KEY, null) },
            )) {
                manage(other)
                assertRefused(client)
            }
        }
    }

    /** What the administrator sets, and what Android tells then. */
    private fun manage(configure: Bundle.() -> Unit) {
        restrictions.setApplicationRestrictions(Bundle().apply(configure))
        application.sendBroadcast(Intent(Intent.ACTION_APPLICATION_RESTRICTIONS_CHANGED))
        shadowOf(Looper.getMainLooper()).idle()
    }

    private fun assertInspected(client: PinnedClient) {
        Testkit.drop("interceptor")
        val pinning = client.sendBlocking(Request(Method.GET, Testkit.url("/"))).pinning
        assertEquals(ID, (pinning as Pinning.Inspected).authority)
    }

    private fun assertRefused(client: PinnedClient) {
        Testkit.drop("interceptor")
        assertThrows(PinfoldException.PinMismatch::class.java) {
            client.sendBlocking(Request(Method.GET, Testkit.url("/")))
        }
    }

    private fun app() =
        App(1, "backend", "/status/404") {
            putJsonArray("inspection_authorities") {
                addJsonObject {
                    put("id", ID)
                    put("spki_sha256", Testkit.pin("other_root").removePrefix("sha256/"))
                    put("mode", "allow")
                    putJsonArray("hosts") { add(Testkit.HOST) }
                    put("not_before", "${App.time(-1)}")
                    put("not_after", "${App.time(30)}")
                    putJsonObject("require") {
                        put("managed_config", true)
                        put("managed_config_key", KEY)
                    }
                }
            }
        }

    private companion object {
        const val ID = "acme-2026"
        const val KEY = "inspection_authority_id"
    }
}
