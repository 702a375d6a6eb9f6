package dev.pinfold

import com.sun.jna.Native
import dev.pinfold.internal.Client
import dev.pinfold.internal.DownloadTarget
import dev.pinfold.internal.FfiConverterTypeDownloadTarget
import dev.pinfold.internal.FfiConverterTypeFormPart
import dev.pinfold.internal.FfiConverterTypeReply
import dev.pinfold.internal.FfiConverterTypeRequestHead
import dev.pinfold.internal.Reply
import dev.pinfold.internal.ensureInitialized
import kotlinx.coroutines.CancellableContinuation
import java.nio.ByteBuffer
import java.nio.ByteOrder
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
    ): Response = exchange(request, timeout, null, HotPath::pinfold_call_execute, ::readResponse)

    /** Sends the request and blocks for the head of the response; [read] gives the body. */
    fun open(
        request: Request,
        timeout: Duration? = request.timeout,
    ): StreamingResponse =
        exchange(request, timeout, null, HotPath::pinfold_call_open) { _, reply, _ ->
            when (val decoded = FfiConverterTypeReply.read(reply)) {
                is Reply.Opened -> decoded.opened.toResponse(this)
                is Reply.Failed -> throw decoded.failure.toException()
                is Reply.Response -> throw lost(0)
            }
        }

    /** Blocks until a file is there. */
    fun download(
        request: Request,
        target: DownloadTarget,
    ): Response {
        val by = HotPath::pinfold_call_download
        return exchange(request, request.timeout, target, by, ::readResponse)
    }

    private fun <T> exchange(
        request: Request,
        timeout: Duration?,
        target: DownloadTarget?,
        by: (Long, Long, ByteBuffer, Int, ByteBuffer, Int) -> Long,
        read: (Request, ByteBuffer, ByteBuffer) -> T,
    ): T {
        checkBodySize(request.bodySize)
        val head = request.toHead(timeout)
        val before = target?.let(FfiConverterTypeDownloadTarget::allocationSize) ?: 0UL
        val needed = FfiConverterTypeRequestHead.allocationSize(head) + before
        val size = inputSize(needed, request.bodySize)
        val pump = prepare(request.content)
        return Buffers.use { buffers ->
            val input = allocated(size, ::requestTooLarge) { buffers.input(it) }
            if (target != null) FfiConverterTypeDownloadTarget.write(target, input)
            FfiConverterTypeRequestHead.write(head, input)
            request.body?.let(input::put)
            val length = input.position()
            // JNA passes the address of a buffer's position.
            input.startOver()
            val output = buffers.output
            try {
                pump?.start()
                val got = by(clientId, id, input, length, output, output.capacity())
                read(request, reply(request, got, output), output)
            } catch (e: PinfoldException.Cancelled) {
                throw pump?.failure?.let(::bodyFailed) ?: e
            } finally {
                pump?.stop()
            }
        }
    }

    /** Hands the parts of a form over, and has written ones written once the call has begun. */
    private fun prepare(body: RequestBody?): BodyPump? {
        if (body is RequestBody.Form) body.parts.forEach(::add)
        val writers = body?.writers().orEmpty()
        if (writers.isEmpty()) return null
        HotPath.pinfold_call_expect_writes(id)
        return BodyPump(this, writers)
    }

    private fun add(part: RequestBody.Part) {
        val head = part.toFfi()
        val bytes = (part.content as? RequestBody.Bytes)?.bytes ?: ByteArray(0)
        checkBodySize(bytes.size)
        val size = inputSize(FfiConverterTypeFormPart.allocationSize(head), bytes.size)
        Buffers.use { buffers ->
            val input = allocated(size, ::requestTooLarge) { buffers.input(it) }
            FfiConverterTypeFormPart.write(head, input)
            input.put(bytes)
            val length = input.position()
            input.startOver()
            checked(HotPath.pinfold_call_add_part(id, input, length))
        }
    }

    /** Blocks until the first [size] bytes of [input] are on their way; whether more are wanted. */
    fun write(
        input: ByteBuffer,
        size: Int,
    ): Boolean = HotPath.pinfold_call_write(id, input, size) > 0

    /** Blocks for the next bytes of the response; -1 at its end. */
    fun read(
        buffer: ByteArray,
        offset: Int,
        count: Int,
    ): Int {
        if (count == 0) return 0
        return Buffers.use { buffers ->
            val output = buffers.output
            val wanted = minOf(count, output.capacity())
            val n = checked(HotPath.pinfold_call_read(id, output, wanted)).toInt()
            output.get(buffer, offset, n)
            if (n == 0) -1 else n
        }
    }

    /** Has [progress] known; before the call is sent. */
    fun watch() = HotPath.pinfold_call_watch(id)

    /** How much of the request has been sent, and how much of a download has come. */
    fun progress(): Pair<Progress, Progress>? =
        Buffers.use { buffers ->
            val output = buffers.output
            if (HotPath.pinfold_call_progress(id, output, output.capacity()) == 0L) return null
            output.order(ByteOrder.nativeOrder())
            val numbers = List(PROGRESS) { output.getLong() }
            output.order(ByteOrder.BIG_ENDIAN)
            val (sent, toSend, received, toReceive) = numbers
            val progress = { done: Long, total: Long -> Progress(done, total.takeIf { it >= 0 }) }
            progress(sent, toSend) to progress(received, toReceive)
        }

    private fun checked(number: Long): Long {
        if (number >= 0) return number
        val reply = ByteBuffer.allocateDirect(-number.toInt())
        val taken = HotPath.pinfold_call_take(id, reply, reply.capacity())
        val failed = if (taken == -number) FfiConverterTypeReply.read(reply) else null
        throw (failed as? Reply.Failed)?.failure?.toException() ?: lost(number)
    }

    private fun bodyFailed(cause: Throwable): PinfoldException {
        // Its message may hold anything.
        val what = cause.javaClass.simpleName
        val error = PinfoldException.IoFailed("the body of a call: its writer threw $what", "body")
        error.initCause(cause)
        return error
    }

    /** [execute] and [end] on the thread that was reserved in [CallThreads]: the one hop. */
    fun enqueue(
        request: Request,
        timeout: Duration?,
        continuation: CancellableContinuation<Response>,
    ): Unit = enqueue(continuation, isOver = { true }) { execute(request, timeout) }

    /** The same for [work], after which the call ends if it [isOver] then. */
    fun <T> enqueue(
        continuation: CancellableContinuation<T>,
        isOver: (Result<T>) -> Boolean,
        work: () -> T,
    ) {
        var isHandedOver = false
        try {
            // Not `withContext`, which waits for the end of what it has cancelled.
            CallThreads.run {
                val result = runCatching(work)
                if (isOver(result)) end()
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
    private fun reply(
        request: Request,
        got: Long,
        output: ByteBuffer,
    ): ByteBuffer {
        val capacity = output.capacity()
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
    private fun readResponse(
        request: Request,
        reply: ByteBuffer,
        output: ByteBuffer,
    ): Response =
        when (val decoded = FfiConverterTypeReply.read(reply)) {
            is Reply.Failed -> {
                throw decoded.failure.toException()
            }

            is Reply.Opened -> {
                throw lost(0)
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
        private const val PROGRESS = 4

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
    external fun pinfold_call_open(
        client: Long,
        call: Long,
        input: ByteBuffer,
        inputLength: Int,
        output: ByteBuffer,
        outputLength: Int,
    ): Long

    @JvmStatic
    external fun pinfold_call_download(
        client: Long,
        call: Long,
        input: ByteBuffer,
        inputLength: Int,
        output: ByteBuffer,
        outputLength: Int,
    ): Long

    @JvmStatic
    external fun pinfold_call_read(
        call: Long,
        output: ByteBuffer,
        outputLength: Int,
    ): Long

    @JvmStatic
    external fun pinfold_call_progress(
        call: Long,
        output: ByteBuffer,
        outputLength: Int,
    ): Long

    @JvmStatic
    external fun pinfold_call_write(
        call: Long,
        input: ByteBuffer,
        inputLength: Int,
    ): Long

    @JvmStatic
    external fun pinfold_call_add_part(
        call: Long,
        input: ByteBuffer,
        inputLength: Int,
    ): Long

    @JvmStatic
    external fun pinfold_call_watch(call: Long)

    @JvmStatic
    external fun pinfold_call_expect_writes(call: Long)

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
