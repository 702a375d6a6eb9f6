package dev.pinfold

import com.sun.jna.Native
import dev.pinfold.internal.Client
import dev.pinfold.internal.FfiConverterTypeReply
import dev.pinfold.internal.FfiConverterTypeRequestHead
import dev.pinfold.internal.Reply
import dev.pinfold.internal.ensureInitialized
import kotlinx.coroutines.CancellableContinuation
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration

/**
 * One request on its way through `bindings/src/hot.rs`, which is three times as fast as UniFFI's
 * own calls. [end] must follow.
 */
internal class NativeCall(
    client: Client,
    private val clientId: Long,
) {
    private val id = HotPath.pinfold_call_begin()

    init {
        // Only the id crosses: without this, a client that nobody holds any more could be collected
        // and closed in the middle of its call.
        running[id] = client
    }

    /**
     * Sends the request and blocks for the response.
     *
     * @param timeout What is left of the call's, where it has waited already.
     */
    fun execute(
        request: Request,
        timeout: Duration? = request.timeout,
    ): Response {
        checkBodySize(request.bodySize)
        val head = request.toHead(timeout)
        val size = inputSize(FfiConverterTypeRequestHead.allocationSize(head), request.bodySize)
        return Buffers.use { buffers ->
            val input = allocated(size, ::requestTooLarge) { buffers.input(it) }
            FfiConverterTypeRequestHead.write(head, input)
            request.body?.let(input::put)
            val length = input.position()
            // JNA passes the address of a buffer's position.
            input.startOver()
            read(request, exchange(request, input, length, buffers.output), buffers.output)
        }
    }

    /** [execute] and [end] on the thread that was reserved in [CallThreads]: the one hop. */
    fun enqueue(
        request: Request,
        timeout: Duration?,
        continuation: CancellableContinuation<Response>,
    ) {
        var isHandedOver = false
        try {
            // Not `withContext`, which waits for the end of what it has cancelled.
            CallThreads.run {
                val result = runCatching { execute(request, timeout) }
                end()
                // Before the caller goes on, who may have the next request ready.
                CallThreads.release()
                continuation.resumeWith(result)
            }
            isHandedOver = true
        } finally {
            if (!isHandedOver) end()
        }
    }

    /** Ends [execute] at once, from any thread; after [end] it does nothing. */
    fun cancel() = HotPath.pinfold_call_cancel(id)

    fun end() {
        HotPath.pinfold_call_end(id)
        running.remove(id)
    }

    /** The reply in [output], or in a buffer of its own where that is too small; its body follows. */
    private fun exchange(
        request: Request,
        input: ByteBuffer,
        length: Int,
        output: ByteBuffer,
    ): ByteBuffer {
        val capacity = output.capacity()
        val got = HotPath.pinfold_call_execute(clientId, id, input, length, output, capacity)
        if (got > 0) return output.limitTo(got.toInt())
        if (got == 0L || got < -Int.MAX_VALUE) throw lost(got)
        val size = -got.toInt()
        val reply =
            if (size <= capacity) {
                output
            } else {
                allocated(size, { responseTooLarge(request) }, ByteBuffer::allocateDirect)
            }
        val taken = HotPath.pinfold_call_take(id, reply, reply.capacity())
        if (taken != -got) throw lost(taken)
        return reply.limitTo(size)
    }

    /** The response; of a large body [output] takes one piece after the other. */
    private fun read(
        request: Request,
        reply: ByteBuffer,
        output: ByteBuffer,
    ): Response =
        when (val decoded = FfiConverterTypeReply.read(reply)) {
            is Reply.Failed -> {
                throw decoded.failure.toException()
            }

            is Reply.Response -> {
                val size = decoded.bodySize.toInt()
                val body = allocated(size, { responseTooLarge(request) }, ::ByteArray)
                if (reply.remaining() == body.size) reply.get(body) else take(body, output)
                decoded.head.toResponse(body)
            }
        }

    private fun take(
        body: ByteArray,
        output: ByteBuffer,
    ) {
        var filled = 0
        while (filled < body.size) {
            output.startOver()
            val taken = HotPath.pinfold_call_take(id, output, output.capacity())
            if (taken !in 1..body.size - filled) throw lost(taken)
            output.get(body, filled, taken.toInt())
            filled += taken.toInt()
        }
    }

    private fun requestTooLarge() =
        PinfoldException.InvalidRequest("request, body: larger than the memory left", "body")

    private fun responseTooLarge(request: Request): PinfoldException {
        val host = request.url.host()
        return PinfoldException.ResponseTooLarge(
            "$host: the response is larger than the memory left",
            host,
        )
    }

    private fun lost(length: Long) =
        PinfoldException.Internal("a bug in Pinfold: a reply of $length bytes was lost")

    companion object {
        /** The clients of the calls between begin and end. */
        val running = ConcurrentHashMap<Long, Client>()
    }
}

/** The functions of `bindings/src/hot.rs`, by JNA direct mapping. */
@Suppress("ktlint:standard:function-naming") // JNA looks them up by these names
private object HotPath {
    init {
        // UniFFI's checks of the library's version and checksums come first.
        ensureInitialized()
        // The name that the generated code uses, so that JNA shares the library with it: a second
        // copy would know none of the clients.
        val override = System.getProperty("uniffi.component.pinfold.libraryOverride")
        Native.register(HotPath::class.java, override ?: "pinfold")
    }

    @JvmStatic
    external fun pinfold_call_begin(): Long

    @JvmStatic
    external fun pinfold_call_execute(
        client: Long,
        call: Long,
        input: ByteBuffer,
        inputLength: Int,
        output: ByteBuffer,
        outputLength: Int,
    ): Long

    @JvmStatic
    external fun pinfold_call_take(
        call: Long,
        output: ByteBuffer,
        outputLength: Int,
    ): Long

    @JvmStatic
    external fun pinfold_call_cancel(call: Long)

    @JvmStatic
    external fun pinfold_call_end(call: Long)
}
