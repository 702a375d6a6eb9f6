package dev.pinfold

/**
 * Cancels blocking calls from another thread; coroutines need none. See
 * [PinnedClient.sendBlocking].
 */
public class CancelToken {
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
