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
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import java.util.concurrent.TimeUnit

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
    fun `it refreshes where that is due, and tries again after a failure`() {
        initialize()
        App.publish(2, "rotated")
        App(1, "backend").updater().use { updater ->
            owner.pinSetUpdater = updater
            run { it.state == WorkInfo.State.SUCCEEDED }
            assertEquals(2, updater.status().order.pinset)
            App.publish(3, "rotated")
            run { it.state == WorkInfo.State.SUCCEEDED }
            assertEquals("it was not due", 2, updater.status().order.pinset)
        }
        App(1, "backend", "/status/503").updater().use { updater ->
            owner.pinSetUpdater = updater
            run { it.state == WorkInfo.State.ENQUEUED && it.runAttemptCount == 1 }
        }
    }

    @Test
    fun `it is scheduled once, every day, where there is a network`() {
        initialize()
        val ids =
            List(2) {
                PinSetWorker.schedule(owner)
                val info = manager.getWorkInfosForUniqueWork(PinSetWorker.NAME).get().single()
                assertEquals(WorkInfo.State.ENQUEUED, info.state)
                assertEquals(NetworkType.CONNECTED, info.constraints.requiredNetworkType)
                val interval = info.periodicityInfo!!.repeatIntervalMillis
                assertEquals(TimeUnit.HOURS.toMillis(24), interval)
                info.id
            }
        assertEquals("the first is kept", ids[0], ids[1])
    }

    @Test
    @Config(application = Application::class)
    fun `an application without an updater is told at once`() {
        val application = RuntimeEnvironment.getApplication()
        assertThrows(IllegalArgumentException::class.java) { PinSetWorker.schedule(application) }
    }

    private val manager get() = WorkManager.getInstance(owner)

    /** WorkManager itself, which an app has initialised by its manifest. */
    private fun initialize() =
        WorkManager.initialize(
            owner,
            Configuration.Builder().setMinimumLoggingLevel(Log.ERROR).build(),
        )

    /** Runs the worker now, and waits until [isDone]. */
    private fun run(isDone: (WorkInfo) -> Boolean) {
        val request = OneTimeWorkRequestBuilder<PinSetWorker>().build()
        manager.enqueue(request).result.get()
        runBlocking {
            withTimeout(20_000) {
                manager.getWorkInfoByIdFlow(request.id).first { it != null && isDone(it) }
            }
        }
    }
}
