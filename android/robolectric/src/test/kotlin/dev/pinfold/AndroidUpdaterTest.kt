package dev.pinfold

import android.content.Context
import android.content.ContextWrapper
import android.content.Intent
import android.os.Looper
import android.os.UserManager
import dev.pinfold.android.PinSetUpdater
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import java.io.FileNotFoundException
import java.lang.ref.WeakReference
import java.nio.file.Files

/** Where an app's updater has its documents from, and where it keeps them. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], manifest = Config.NONE)
class AndroidUpdaterTest {
    private val application = RuntimeEnvironment.getApplication()
    private val app = App(1, "backend")
    private val store = application.noBackupFilesDir.resolve("pinfold")

    @Test
    fun `what is stored lies in the folder without backups, and is there at the next start`() {
        storeNext()
        assertTrue("$store", store.list()!!.isNotEmpty())
        updater().use { assertEquals(2, it.status().order.pinset) }
    }

    @Test
    fun `the documents are an asset, pinfold json where nothing else is said`() {
        val other = App(7, "backend")
        installAssets(mapOf("pinfold.json" to app.embedded, "other.json" to other.embedded))
        PinSetUpdater(application).use { assertEquals(1, it.status().order.pinset) }
        PinSetUpdater(application, "other.json") { directory = null }.use {
            assertEquals(7, it.status().order.pinset)
        }
        assertThrows(FileNotFoundException::class.java) { PinSetUpdater(application, "no.json") }
    }

    @Test
    fun `what the app says itself holds`() {
        storeNext()
        val own = application.filesDir.resolve("own")
        updater { directory = own }.use { updater ->
            assertEquals(1, updater.status().order.pinset)
            updater.refreshBlocking()
        }
        assertTrue("$own", own.list()!!.isNotEmpty())
    }

    @Test
    fun `before the first unlock the embedded documents hold, and then what is stored`() {
        storeNext()
        val users = shadowOf(application.getSystemService(UserManager::class.java))
        users.setUserUnlocked(false)
        // As the kernel has it: what is encrypted does not seem to be there, and cannot be made.
        val locked = store.resolveSibling("locked")
        assertTrue(store.renameTo(locked))
        Files.createSymbolicLink(store.toPath(), store.resolveSibling("nowhere").toPath())
        updater().use { updater ->
            assertEquals(1, updater.status().order.pinset)
            val fetches = app.fetches()
            assertTrue(store.delete() && locked.renameTo(store))
            users.setUserUnlocked(true)
            broadcast(Intent.ACTION_USER_UNLOCKED)
            awaitTrue { updater.status().order.pinset == 2L }
            assertEquals("nothing was due", fetches, app.fetches())
        }
        assertFalse(listens(Intent.ACTION_USER_UNLOCKED))
    }

    @Test
    fun `a device whose user has unlocked it is not listened to`() {
        updater().use { assertFalse(listens(Intent.ACTION_USER_UNLOCKED)) }
    }

    @Test
    fun `storage that no lock protects is known before the first unlock`() {
        val storage = application.createDeviceProtectedStorageContext()
        assertNotEquals(application.noBackupFilesDir, storage.noBackupFilesDir)
        storeNext(storage)
        assertFalse("$store", store.exists())
        shadowOf(application.getSystemService(UserManager::class.java)).setUserUnlocked(false)
        updater(storage).use { updater ->
            assertEquals(2, updater.status().order.pinset)
            assertFalse(listens(Intent.ACTION_USER_UNLOCKED))
        }
    }

    @Test
    fun `of a context only its application is kept`() {
        shadowOf(application.getSystemService(UserManager::class.java)).setUserUnlocked(false)
        var activity: Context? = ContextWrapper(application)
        val gone = WeakReference(activity)
        val updater = updater(activity!!)
        val client = dev.pinfold.android.PinnedClient(activity, updater)
        @Suppress("AssignedValueIsNeverRead", "UNUSED_VALUE")
        activity = null
        awaitTrue {
            System.gc()
            gone.get() == null
        }
        client.close()
        updater.close()
    }

    /** Has the next version of the documents stored. */
    private fun storeNext(context: Context = application) {
        App.publish(2, "backend")
        updater(context).use { assertEquals(Refreshed.UPDATED, it.refreshBlocking()) }
    }

    private fun updater(
        context: Context = application,
        configure: UpdaterConfig.() -> Unit = {},
    ) = PinSetUpdater(context, app.embedded) {
        onTestkit()
        configure()
    }

    private fun broadcast(action: String) {
        application.sendBroadcast(Intent(action))
        shadowOf(Looper.getMainLooper()).idle()
    }

    private fun listens(action: String) =
        shadowOf(application).registeredReceivers.any { it.intentFilter.hasAction(action) }
}
