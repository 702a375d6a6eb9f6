package dev.pinfold

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.suspendCancellableCoroutine
import java.io.InputStream
import kotlin.time.Duration

/**
 * The answer to a request whose body is pulled; see [PinnedClient.stream].
 *
 * @property body The body, decoded.
 */
public class StreamingResponse internal constructor(
    status: Int,
    url: String,
    headers: List<Header>,
    pinning: Pinning,
    public val body: ResponseBody,
) : ResponseHead(status, url, headers, pinning),
    AutoCloseable {
    /** Ends the call, if its body has not been read to the end. */
    override fun close(): Unit = body.close()

    /** Without query, header values and body: those may be secret. */
    override fun toString(): String =
        "StreamingResponse($status ${url.withoutSecrets()}, headers=${headers.map { it.name }}, " +
            "pinning=$pinning)"
}

/**
 * The decoded body of a response, pulled piece by piece: what nobody has asked for yet waits at the
 * server, so it needs the same little memory however long it is.
 *
 * One caller at a time reads it. Its connection serves other calls only after it was read to its end;
 * closed before, it is closed too.
 *
 * @property length How many bytes there are in all, where the server says so and nothing is decoded.
 */
public class ResponseBody internal constructor(
    private val call: NativeCall,
    public val length: Long?,
) : AutoCloseable {
    @Volatile
    private var isClosed = false
    internal var onClose: () -> Unit = {}

    /**
     * Waits for the next bytes without blocking the caller's thread, and puts them into [buffer]: how
     * many there are, -1 at the end. Cancelling the coroutine ends the call at once.
     *
     * @throws PinfoldException such as [PinfoldException.Truncated] where the connection broke.
     */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun read(
        buffer: ByteArray,
        offset: Int = 0,
        count: Int = buffer.size - offset,
    ): Int {
        checkBounds(buffer, offset, count)
        if (!CallThreads.tryReserve()) CallThreads.reserve(Duration.INFINITE)
        return suspendCancellableCoroutine { continuation ->
            continuation.invokeOnCancellation { call.cancel() }
            CallThreads.run {
                val result = runCatching { pull(buffer, offset, count) }
                CallThreads.release()
                continuation.resumeWith(result)
            }
        }
    }

    /**
     * The body in pieces of at most [pieceSize] bytes, pulled as they are collected, once. The call
     * ends when collecting does.
     */
    public fun flow(pieceSize: Int = PIECE): Flow<ByteArray> {
        require(pieceSize > 0) { "a piece has at least one byte" }
        return flow {
            use {
                val buffer = ByteArray(pieceSize)
                while (true) {
                    val n = read(buffer)
                    if (n < 0) break
                    emit(buffer.copyOf(n))
                }
            }
        }
    }

    /**
     * The body as a stream that blocks, not for a main thread: for decoders of images and JSON, and for
     * okio's `inputStream().source()`. Closing it closes the body, from any thread.
     */
    public fun inputStream(): InputStream = Stream()

    /** Ends the call at once if the body has not been read to the end. Closing twice does nothing. */
    override fun close() {
        if (isClosed) return
        isClosed = true
        // Whoever reads in this moment is ended by it. After the end it does nothing.
        call.cancel()
        call.end()
        onClose()
    }

    private fun pull(
        buffer: ByteArray,
        offset: Int,
        count: Int,
    ): Int {
        try {
            if (!isClosed) return call.read(buffer, offset, count)
        } catch (e: PinfoldException) {
            if (!isClosed) throw e
        }
        throw PinfoldException.Cancelled("the body is closed")
    }

    private fun checkBounds(
        buffer: ByteArray,
        offset: Int,
        count: Int,
    ) {
        if (offset < 0 || count < 0 || count > buffer.size - offset) {
            throw IndexOutOfBoundsException("$count bytes at $offset of ${buffer.size}")
        }
    }

    private inner class Stream : InputStream() {
        override fun read(): Int {
            val byte = ByteArray(1)
            return if (read(byte, 0, 1) < 0) -1 else byte[0].toInt() and BYTE
        }

        override fun read(
            buffer: ByteArray,
            offset: Int,
            count: Int,
        ): Int {
            checkNotMainThread("a body's stream waits for a server")
            checkBounds(buffer, offset, count)
            return pull(buffer, offset, count)
        }

        override fun close() = this@ResponseBody.close()
    }

    private companion object {
        const val PIECE = 64 * 1024
        const val BYTE = 0xff
    }
}
