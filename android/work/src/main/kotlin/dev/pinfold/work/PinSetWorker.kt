package dev.pinfold.work

import android.content.Context
import androidx.work.BackoffPolicy
import androidx.work.Constraints
import androidx.work.CoroutineWorker
import androidx.work.ExistingPeriodicWorkPolicy
import androidx.work.NetworkType
import androidx.work.PeriodicWorkRequestBuilder
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import dev.pinfold.PinSetUpdateException
import dev.pinfold.PinSetUpdater
import java.util.concurrent.TimeUnit

/** An `Application` whose updater [PinSetWorker] asks. */
public interface PinSetUpdaterOwner {
    /** The app's one updater. */
    public val pinSetUpdater: PinSetUpdater
}

/**
 * Looks for a newer pin set when that is due, while the app is not used.
 *
 * ```
 * class BankApp : Application(), PinSetUpdaterOwner {
 *     override val pinSetUpdater by lazy { PinSetUpdater(embedded) { … } }
 *
 *     override fun onCreate() {
 *         super.onCreate()
 *         PinSetWorker.schedule(this)
 *     }
 * }
 * ```
 */
public class PinSetWorker(
    context: Context,
    parameters: WorkerParameters,
) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result =
        try {
            (applicationContext as PinSetUpdaterOwner).pinSetUpdater.refreshIfDue()
            Result.success()
        } catch (_: PinSetUpdateException) {
            Result.retry()
        }

    /** Has the worker run. */
    public companion object {
        /** The name of the unique work. */
        public const val NAME: String = "dev.pinfold.refresh"

        /**
         * Has the worker run every 6 hours from now on, where there is a network; it looks where
         * that is due, mostly once a day. To call it again changes nothing: do so at every start.
         *
         * @throws IllegalArgumentException where the application is no [PinSetUpdaterOwner].
         */
        @JvmStatic
        public fun schedule(context: Context) {
            require(context.applicationContext is PinSetUpdaterOwner) {
                "the application does not implement PinSetUpdaterOwner"
            }
            val online = Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build()
            val work =
                PeriodicWorkRequestBuilder<PinSetWorker>(6, TimeUnit.HOURS)
                    .setConstraints(online)
                    // Longer than the updater's own, which would find that it is not time yet.
                    .setBackoffCriteria(BackoffPolicy.EXPONENTIAL, 10, TimeUnit.MINUTES)
                    .build()
            WorkManager
                .getInstance(context)
                .enqueueUniquePeriodicWork(NAME, ExistingPeriodicWorkPolicy.KEEP, work)
        }
    }
}
