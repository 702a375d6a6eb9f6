package dev.pinfold

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.sync.Semaphore
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.SynchronousQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration

/**
 * The threads that suspended requests block: one for each on its way, made when none is idle, ended
 * when they have been idle for a while. Not `Dispatchers.IO`, whose limited views cost a fifth more a
 * request, and whose threads are the app's own.
 *
 * A request reserves its thread first. Those that find none wait, within their timeouts, without one.
 */
internal object CallThreads {
    /** A thread that waits costs some 20 KB, and an app that polls has tens of these, not hundreds. */
    const val MAX = 256

    private const val IDLE_SECONDS = 15L
    private val free = Semaphore(MAX)
    private val made = AtomicInteger()

    private val pool =
        ThreadPoolExecutor(
            0,
            MAX,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            SynchronousQueue(),
            // Daemons: a request on its way does not keep a JVM from ending.
            { Thread(it, "pinfold-call-${made.incrementAndGet()}").apply { isDaemon = true } },
            // Whoever has reserved knows that one of them is about to be idle.
            ::handOver,
        )

    /** How many there are. */
    val count: Int get() = pool.poolSize

    /** Whether there is a thread for a request at once; then [run] or [release] must follow. */
    fun tryReserve(): Boolean = free.tryAcquire()

    /** Waits for one, for at most [timeout]; whether there is one now, as from [tryReserve]. */
    suspend fun reserve(timeout: Duration): Boolean {
        var isReserved = false
        try {
            withTimeoutOrNull(timeout) {
                free.acquire()
                // Not the block's result: the timeout may come in between.
                isReserved = true
            }
        } catch (e: CancellationException) {
            if (isReserved) release()
            throw e
        }
        return isReserved
    }

    /** Gives a reservation back that is not needed. */
    fun release() = free.release()

    /** Runs [block] on the thread that was reserved. */
    fun run(block: Runnable) {
        var isHandedOver = false
        try {
            pool.execute(block)
            isHandedOver = true
        } finally {
            // No memory for one more thread.
            if (!isHandedOver) release()
        }
    }

    private fun handOver(
        task: Runnable,
        pool: ThreadPoolExecutor,
    ) {
        while (!pool.queue.offer(task)) {
            if (pool.poolSize < MAX) return pool.execute(task)
            Thread.yield()
        }
    }
}
