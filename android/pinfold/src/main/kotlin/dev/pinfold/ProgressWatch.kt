package dev.pinfold

import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import java.util.concurrent.locks.LockSupport
import kotlin.time.Duration.Companion.milliseconds

private val INTERVAL = 100.milliseconds

/** Tells who wants to know how much of [request] has been sent; none where nobody does. */
internal fun NativeCall.tellsSent(request: Request): (() -> Unit)? {
    val listener = request.onUpload ?: return null
    watch()
    return { progress()?.let { (sent, _) -> listener(sent) } }
}

/** Tells [listener] how much has been received. */
internal fun NativeCall.tellsReceived(listener: ((Progress) -> Unit)?): (() -> Unit)? {
    if (listener == null) return null
    return { progress()?.let { (_, received) -> listener(received) } }
}

/** Runs [work] while [tell] is called now and then in the caller's context, and once after it. */
internal suspend fun <T> watched(
    tell: (() -> Unit)?,
    work: suspend () -> T,
): T {
    if (tell == null) return work()
    return coroutineScope {
        val watch =
            launch {
                while (true) {
                    delay(INTERVAL)
                    tell()
                }
            }
        work().also {
            watch.cancel()
            tell()
        }
    }
}

/** The same on a thread of ours. */
internal fun <T> watchedBlocking(
    tell: (() -> Unit)?,
    work: () -> T,
): T {
    if (tell == null) return work()
    val watch =
        Thread({
            LockSupport.parkNanos(INTERVAL.inWholeNanoseconds)
            while (!Thread.currentThread().isInterrupted) {
                tell()
                LockSupport.parkNanos(INTERVAL.inWholeNanoseconds)
            }
        }, "pinfold-progress").apply { isDaemon = true }
    watch.start()
    try {
        val result = work()
        watch.interrupt()
        watch.join()
        tell()
        return result
    } finally {
        watch.interrupt()
    }
}
