package dev.pinfold

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * What native code makes: at once, so that what is wrong is told at once. But Android's main thread
 * waits for nothing: made there, it is opened where it is first asked for, and tells then.
 *
 * @param closed What is thrown where it was closed before it was opened.
 */
internal class Opening<T : Any>(
    private val closed: () -> Exception,
    private val make: () -> T,
) {
    /** What was made, if it was. */
    @Volatile
    var opened: T? = null
        private set
    private var isClosed = false

    init {
        if (!isMainThread()) open()
    }

    /** What is made, now if it has to be. What could not be made is tried anew. */
    fun open(): T = opened ?: openOnce()

    /** [open] for those who must not block. */
    suspend fun await(): T = opened ?: withContext(Dispatchers.IO) { open() }

    /** What was made, if it was. If not, it never will be. */
    @Synchronized
    fun close(): T? {
        isClosed = true
        return opened
    }

    @Synchronized
    private fun openOnce(): T {
        opened?.let { return it }
        if (isClosed) throw closed()
        return make().also { opened = it }
    }
}
