package dev.pinfold

/**
 * Cancels blocking calls from another thread; coroutines need none. See
 * [PinnedClient.sendBlocking].
 *
 * One token may be given to any number of calls, at once or one after the other. Once it is
 * cancelled it stays so.
 */
public class CancelToken {
    // Rust's own tokens are for one call each; every NativeCall has one.
    private val calls = mutableListOf<NativeCall>()

    /** Whether [cancel] was called. */
    @get:Synchronized
    public var isCancelled: Boolean = false
        private set

    /** Ends every call with this token at once, those that are still to come too. */
    public fun cancel() {
        val running =
            synchronized(this) {
                isCancelled = true
                calls.toList()
            }
        running.forEach { it.cancel() }
    }

    internal fun attach(call: NativeCall) {
        val late =
            synchronized(this) {
                calls += call
                isCancelled
            }
        if (late) call.cancel()
    }

    @Synchronized
    internal fun detach(call: NativeCall) {
        calls -= call
    }
}
