@file:Suppress("unused") // That they compile is enough: ReadmeTest sees to it that they are these.

package dev.pinfold.work

import android.app.Application
import android.content.Context
import android.content.RestrictionsManager
import androidx.lifecycle.DefaultLifecycleObserver
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.lifecycleScope
import androidx.work.BackoffPolicy
import androidx.work.Constraints
import androidx.work.CoroutineWorker
import androidx.work.ExistingPeriodicWorkPolicy
import androidx.work.NetworkType
import androidx.work.PeriodicWorkRequestBuilder
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import dev.pinfold.ManagedConfiguration
import dev.pinfold.PinSetUpdateException
import dev.pinfold.PinSetUpdater
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import java.util.concurrent.TimeUnit

class BankApp :
    Application(),
    PinSetUpdaterOwner {
    override val pinSetUpdater by lazy {
        PinSetUpdater(assets.open("pinfold.json").use { it.readBytes() }) {
            directory = noBackupFilesDir.resolve("pinfold")
        }
    }

    override fun onCreate() {
        super.onCreate()
        PinSetWorker.schedule(this)
    }
}

class RefreshWorker(
    context: Context,
    parameters: WorkerParameters,
) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result =
        try {
            (applicationContext as BankApp).pinSetUpdater.refreshIfDue()
            Result.success()
        } catch (_: PinSetUpdateException) {
            Result.retry()
        }
}

fun scheduleRefresh(context: Context) {
    val online = Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build()
    val daily =
        PeriodicWorkRequestBuilder<RefreshWorker>(24, TimeUnit.HOURS)
            .setConstraints(online)
            .setBackoffCriteria(BackoffPolicy.EXPONENTIAL, 10, TimeUnit.MINUTES)
            .build()
    WorkManager
        .getInstance(context)
        .enqueueUniquePeriodicWork("refresh", ExistingPeriodicWorkPolicy.KEEP, daily)
}

class RefreshInForeground(
    private val updater: () -> PinSetUpdater,
) : DefaultLifecycleObserver {
    override fun onStart(owner: LifecycleOwner) {
        owner.lifecycleScope.launch(Dispatchers.IO) {
            try {
                updater().refreshIfDue()
            } catch (e: PinSetUpdateException) {
                println("pins: ${e.code}")
            }
        }
    }
}

fun managed(context: Context): ManagedConfiguration {
    val restrictions = context.getSystemService(RestrictionsManager::class.java)
    val managed =
        ManagedConfiguration { key -> restrictions?.applicationRestrictions?.getString(key) }
    return managed
}
