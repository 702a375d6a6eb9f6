package dev.pinfold

import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import dev.pinfold.internal.CallEvent as FfiCallEvent
import dev.pinfold.internal.CallListener as FfiCallListener

/**
 * Something that happened to a call, for logs and counters; see [ClientConfig.listener]. No header, body,
 * path or query is in it. A later version may have more.
 *
 * @property call Which call it was: one number for all that happens to it.
 * @property host The host concerned.
 */
public sealed class CallEvent(
    public val call: Long,
    public val host: String,
) {
    /** A call begins; it may still queue. */
    public class Begun internal constructor(
        call: Long,
        host: String,
        /** Its method. */
        public val method: String,
    ) : CallEvent(call, host)

    /** A hop has its connection, whose certificate the pin set allows. */
    public class Connected internal constructor(
        call: Long,
        host: String,
        /** Whether it had served another call before. */
        public val isReused: Boolean,
    ) : CallEvent(call, host)

    /** A request is to be sent again after a wait; see [ClientConfig.retries]. */
    public class Retried internal constructor(
        call: Long,
        host: String,
        /** How often it has been before. */
        public val before: Int,
        /** For how long it waits. */
        public val wait: Duration,
        /** The code of the error, or the status, that is the reason. */
        public val cause: String,
    ) : CallEvent(call, host)

    /** A request is to be sent again with another token. */
    public class TokenRenewed internal constructor(
        call: Long,
        host: String,
    ) : CallEvent(call, host)

    /** A redirect is followed. */
    public class Redirected internal constructor(
        call: Long,
        host: String,
        /** The host that it leads to. */
        public val to: String,
    ) : CallEvent(call, host)

    /** The head of the response is there; its body may follow. */
    public class Answered internal constructor(
        call: Long,
        host: String,
        /** The status. */
        public val status: Int,
        /** Since the call's beginning. */
        public val after: Duration,
    ) : CallEvent(call, host)

    /** There is no response, or its body has failed after its head was there. */
    public class Failed internal constructor(
        call: Long,
        host: String,
        /** The error's code. */
        public val code: String,
        /** Since the call's beginning. */
        public val after: Duration,
    ) : CallEvent(call, host)
}

/** Somebody who wants to know what happens to calls. */
public fun interface CallListener {
    /**
     * Called on the thread of the call, in order, while it waits: it has to be quick. What it throws
     * changes nothing.
     */
    public fun event(event: CallEvent)
}

internal class Listener(
    private val listener: CallListener,
) : FfiCallListener {
    override fun event(event: FfiCallEvent) {
        try {
            listener.event(event.toPublic())
        } catch (_: Throwable) {
            // Its own affair.
        }
    }
}

private fun FfiCallEvent.toPublic(): CallEvent =
    when (this) {
        is FfiCallEvent.Begun -> {
            CallEvent.Begun(call.toLong(), host, method)
        }

        is FfiCallEvent.Connected -> {
            CallEvent.Connected(call.toLong(), host, reused)
        }

        is FfiCallEvent.Retried -> {
            CallEvent.Retried(call.toLong(), host, before.toInt(), waitMs.toTime(), cause)
        }

        is FfiCallEvent.TokenRenewed -> {
            CallEvent.TokenRenewed(call.toLong(), host)
        }

        is FfiCallEvent.Redirected -> {
            CallEvent.Redirected(call.toLong(), host, to)
        }

        is FfiCallEvent.Answered -> {
            CallEvent.Answered(call.toLong(), host, status.toInt(), afterMs.toTime())
        }

        is FfiCallEvent.Failed -> {
            CallEvent.Failed(call.toLong(), host, code, afterMs.toTime())
        }
    }

private fun ULong.toTime() = toLong().milliseconds
