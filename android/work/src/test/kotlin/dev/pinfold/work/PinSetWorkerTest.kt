package dev.pinfold.work

import android.app.Application
import android.util.Log
import androidx.work.Configuration
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequestBuilder
import androidx.work.WorkInfo
import androidx.work.WorkManager
import dev.pinfold.App
import dev.pinfold.PinSetUpdater
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowLooper
import java.util.UUID
import java.util.concurrent.TimeUnit
import java.util.concurrent.locks.LockSupport

/** The worker, and WorkManager's own view of it. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], manifest = Config.NONE, application = PinSetWorkerTest.Owner::class)
class PinSetWorkerTest {
    class Owner :
        Application(),
        PinSetUpdaterOwner {
        override lateinit var pinSetUpdater: PinSetUpdater
    }

    private val owner get() = RuntimeEnvironment.getApplication() as Owner

    @Test
    fun `it is scheduled once, and refreshes where that is due`() {
        // As an app's manifest has it.
        val configuration = Configuration.Builder().setMinimumLoggingLevel(Log.ERROR).build()
        WorkManager.initialize(owner, configuration)
        val ids = List(2) { scheduled() }
        assertEquals("the first is kept", ids[0], ids[1])

        App.publish(2, "rotated")
        App(1, "backend").updater().use { updater ->
            owner.pinSetUpdater = updater
            run { it.state == WorkInfo.State.SUCCEEDED }
            assertEquals(2, updater.status().order.pinset)
            App.publish(3, "rotated")
            run { it.state == WorkInfo.State.SUCCEEDED }
            assertEquals("it was not due", 2, updater.status().order.pinset)
        }
        // After a failure it is tried again.
        App(1, "backend", "/status/503").updater().use { updater ->
            owner.pinSetUpdater = updater
            run { it.state == WorkInfo.State.ENQUEUED && it.runAttemptCount == 1 }
        }
    }

    @Test
    @Config(application = Application::class)
    fun `an application without an updater is told at once`() {
        val application = RuntimeEnvironment.getApplication()
        assertThrows(IllegalArgumentException::class.java) { PinSetWorker.schedule(application) }
    }

    private val manager get() = WorkManager.getInstance(owner)

    private fun scheduled(): UUID {
        PinSetWorker.schedule(owner)
        val info = manager.getWorkInfosForUniqueWork(PinSetWorker.NAME).get().single()
        assertEquals(WorkInfo.State.ENQUEUED, info.state)
        assertEquals(NetworkType.CONNECTED, info.constraints.requiredNetworkType)
        assertEquals(TimeUnit.HOURS.toMillis(6), info.periodicityInfo!!.repeatIntervalMillis)
        return info.id
    }

    /** Runs the worker now, and waits until [isDone]. */
    private fun run(isDone: (WorkInfo) -> Boolean) {
        val request = OneTimeWorkRequestBuilder<PinSetWorker>().build()
        manager.enqueue(request).result.get()
        val begun = System.nanoTime()
        while (!isDone(manager.getWorkInfoById(request.id).get()!!)) {
            check(System.nanoTime() - begun < TimeUnit.SECONDS.toNanos(20)) { "not in time" }
            // Workers begin on the main thread, which is this one.
            ShadowLooper.idleMainLooper()
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5))
        }
    }
}
