package dev.pinfold

import dev.pinfold.PinSetUpdateException.Reason
import dev.pinfold.internal.ListenerFailure
import dev.pinfold.internal.PinSetFailure
import dev.pinfold.internal.UpdateFailure
import dev.pinfold.internal.UpdateListener
import kotlinx.coroutines.Dispatchers
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.time.Duration.Companion.seconds
import dev.pinfold.internal.Freshness as FfiFreshness
import dev.pinfold.internal.ManagedConfiguration as FfiManaged
import dev.pinfold.internal.PinSetOrder as FfiOrder
import dev.pinfold.internal.PinSetStatus as FfiStatus
import dev.pinfold.internal.Refreshed as FfiRefreshed
import dev.pinfold.internal.UpdateEvent as FfiEvent

/**
 * Hands events over to the app's listener on a thread that waits for nobody: Rust's would wait for
 * the listener, and a listener that waits for the next refresh would wait for itself.
 */
internal class EventQueue(
    @Volatile private var listener: ((UpdateEvent) -> Unit)?,
) : UpdateListener {
    private val thread = Dispatchers.IO.limitedParallelism(1, "Pinfold events")

    override fun happened(event: FfiEvent) {
        val public = event.toPublic()
        thread.dispatch(EmptyCoroutineContext) { tell(public) }
    }

    fun close() {
        listener = null
    }

    private fun tell(event: UpdateEvent) {
        try {
            listener?.invoke(event)
        } catch (_: Throwable) {
            // Nobody else is to fail for it.
        }
    }
}

/** The app's implementation, as UniFFI wants it. */
internal class Managed(
    private val configuration: ManagedConfiguration,
) : FfiManaged {
    override fun value(key: String): String? =
        try {
            configuration.value(key)?.wellFormed()
        } catch (_: Throwable) {
            // Errors too: UniFFI catches exceptions only.
            throw ListenerFailure.Failed()
        }
}

/** Runs [block] with what UniFFI throws of updates as a [PinSetUpdateException]. */
internal inline fun <T> updated(block: () -> T): T =
    try {
        block()
    } catch (e: PinSetFailure.Failed) {
        throw e.failure.toException()
    }

internal fun UpdateFailure.toException(): PinSetUpdateException {
    val reason = Reason.entries.find { it.code == code }
    return when (reason) {
        null -> PinSetUpdateException(Reason.INTERNAL, "unknown code $code: $message", place)
        else -> PinSetUpdateException(reason, message, place)
    }
}

internal fun FfiRefreshed.toPublic() =
    when (this) {
        FfiRefreshed.UPDATED -> Refreshed.UPDATED
        FfiRefreshed.UNCHANGED -> Refreshed.UNCHANGED
    }

internal fun FfiStatus.toPublic() =
    PinSetStatus(
        order = order.toPublic(),
        freshness = freshness.toPublic(),
        issued = issued.toInstant(),
        expires = expires.toInstant(),
        checked = checked?.toInstant(),
        nextDue = nextDue.toLong().seconds,
        lastError = lastError?.toException(),
    )

internal fun FfiEvent.toPublic(): UpdateEvent =
    when (this) {
        is FfiEvent.Updated -> UpdateEvent.Updated(order.toPublic())
        is FfiEvent.Rejected -> UpdateEvent.Rejected(url, failure.toException())
        is FfiEvent.Equivocation -> UpdateEvent.Equivocation(url)
        is FfiEvent.StaleMirror -> UpdateEvent.StaleMirror(url)
        is FfiEvent.Unavailable -> UpdateEvent.Unavailable(reason)
        is FfiEvent.Store -> UpdateEvent.Store(reason)
        FfiEvent.Stale -> UpdateEvent.Stale
        is FfiEvent.Lapsed -> UpdateEvent.Lapsed(host)
        is FfiEvent.Inspected -> UpdateEvent.Inspected(host, authority)
    }

private fun FfiOrder.toPublic() = PinSetOrder(root.toLong(), epoch.toLong(), pinset.toLong())

private fun FfiFreshness.toPublic() =
    when (this) {
        FfiFreshness.FRESH -> Freshness.FRESH
        FfiFreshness.STALE -> Freshness.STALE
        FfiFreshness.LAPSED -> Freshness.LAPSED
    }
