package dev.pinfold

import java.io.IOException
import java.io.OutputStream
import java.nio.ByteBuffer
import java.util.concurrent.atomic.AtomicInteger

/** Writes a request's body on a thread of its own while another one sends it. */
internal class BodyPump(
    private val call: NativeCall,
    private val writers: List<(OutputStream) -> Unit>,
) : Runnable {
    private val thread =
        Thread(this, "pinfold-body-${started.incrementAndGet()}").apply { isDaemon = true }

    /** What the app's code has thrown. */
    @Volatile
    var failure: Throwable? = null
        private set

    fun start() = thread.start()

    /** Nobody wants any more. Whatever it waits for is interrupted. */
    fun stop() = thread.interrupt()

    override fun run() {
        try {
            Buffers.use { buffers ->
                for (write in writers) {
                    val body = BodyStream(buffers.output)
                    write(body)
                    body.end()
                }
            }
        } catch (_: Unwanted) {
            // The answer has come, or the call has ended: who sends knows.
        } catch (
            // Whatever it is: it must not end an app, and the call must not wait for ever.
            @Suppress("TooGenericExceptionCaught") e: Throwable,
        ) {
            failure = e
            call.cancel()
        }
    }

    private inner class BodyStream(
        private val buffer: ByteBuffer,
    ) : OutputStream() {
        init {
            buffer.startOver()
        }

        override fun write(byte: Int) {
            if (!buffer.hasRemaining()) flush()
            buffer.put(byte.toByte())
        }

        override fun write(
            bytes: ByteArray,
            offset: Int,
            count: Int,
        ) {
            var at = offset
            val end = offset + count
            while (at < end) {
                if (!buffer.hasRemaining()) flush()
                val n = minOf(buffer.remaining(), end - at)
                buffer.put(bytes, at, n)
                at += n
            }
        }

        override fun flush() {
            val size = buffer.position()
            if (size == 0) return
            buffer.startOver()
            if (!call.write(buffer, size)) throw Unwanted()
        }

        fun end() {
            flush()
            if (!call.write(buffer, 0)) throw Unwanted()
        }
    }

    private class Unwanted : IOException("nobody wants the rest of this body")

    private companion object {
        val started = AtomicInteger()
    }
}
