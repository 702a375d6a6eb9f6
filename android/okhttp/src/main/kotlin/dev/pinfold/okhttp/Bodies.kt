package dev.pinfold.okhttp

import dev.pinfold.RequestBuilder
import dev.pinfold.StreamingResponse
import okhttp3.Call
import okhttp3.EventListener
import okhttp3.Headers
import okhttp3.HttpUrl
import okhttp3.MediaType
import okhttp3.MediaType.Companion.toMediaTypeOrNull
import okhttp3.RequestBody
import okhttp3.Response
import okhttp3.ResponseBody
import okio.Buffer
import okio.BufferedSource
import okio.ForwardingSink
import okio.Sink
import okio.Source
import okio.Timeout
import okio.buffer
import okio.sink
import java.io.IOException
import java.io.InterruptedIOException
import java.net.ProtocolException
import kotlin.time.TimeMark

/** A request's body on its way out. */
internal class Upload(
    private val body: RequestBody,
) {
    /** How many bytes it had. */
    @Volatile
    var sent = 0L
        private set

    fun addTo(request: RequestBuilder) {
        if (body.isDuplex()) {
            throw ProtocolException("Duplex connections are not supported for HTTP/1")
        }
        val length = body.contentLength()
        if (length in 0..SMALL && !body.isOneShot()) {
            request.body(buffered(length))
        } else {
            // Its Content-Type is among the headers.
            request.writtenBody(length.takeIf { it >= 0 }) { out ->
                val counted = Counted(out.sink())
                val to = counted.buffer()
                body.writeTo(to)
                to.flush()
                sent = counted.count
            }
        }
    }

    /** A small one needs no thread of its own, and can be sent again. */
    private fun buffered(length: Long): ByteArray {
        val buffer = Buffer()
        body.writeTo(buffer)
        if (buffer.size != length) {
            throw ProtocolException("expected $length bytes but received ${buffer.size}")
        }
        sent = length
        return buffer.readByteArray()
    }

    private class Counted(
        to: Sink,
    ) : ForwardingSink(to) {
        var count = 0L
            private set

        override fun write(
            source: Buffer,
            byteCount: Long,
        ) {
            super.write(source, byteCount)
            count += byteCount
        }
    }

    private companion object {
        const val SMALL = 64L * 1024
    }
}

/** An answer's body on its way in. */
internal class Download(
    private val response: StreamingResponse,
    private val call: Call,
    private val events: EventListener,
    private val end: TimeMark?,
) : Source {
    private val stream = response.body.inputStream()
    private val piece by lazy { ByteArray(PIECE) }
    private var count = 0L
    private var isOver = false

    override fun read(
        sink: Buffer,
        byteCount: Long,
    ): Long {
        if (byteCount == 0L) return 0
        if (count == 0L && !isOver) events.responseBodyStart(call)
        val n =
            try {
                onlyIo { stream.read(piece, 0, minOf(byteCount, PIECE.toLong()).toInt()) }
            } catch (e: IOException) {
                throw failed(e)
            }
        if (n < 0) {
            if (!isOver) events.responseBodyEnd(call, count)
            isOver = true
            return -1
        }
        sink.write(piece, 0, n)
        count += n
        return n.toLong()
    }

    private fun failed(e: IOException): IOException {
        val isLate = end?.hasPassedNow() == true && e !is InterruptedIOException
        val told = if (isLate) InterruptedIOException("timeout").apply { initCause(e) } else e
        events.responseFailed(call, told)
        return told
    }

    /** The call's own timeouts hold. */
    override fun timeout(): Timeout = Timeout.NONE

    override fun close() = response.close()

    private companion object {
        const val PIECE = 64 * 1024
    }
}

/** A body whose type is that of the headers. */
internal class Body(
    headers: Headers,
    private val length: Long,
    private val source: BufferedSource,
) : ResponseBody() {
    private val type = headers["Content-Type"]

    override fun contentType(): MediaType? = type?.toMediaTypeOrNull()

    override fun contentLength(): Long = length

    override fun source(): BufferedSource = source
}

/** The same, of which nobody can read the body any more. */
internal fun Response.withoutBody(): Response {
    val nothing = Buffer()
    return newBuilder().body(Body(headers, 0, nothing)).build()
}

/** Whether its headers speak of a body that comes with it (RFC 9112 §6.3). */
internal fun Response.hasBody(): Boolean {
    if (request.method == "HEAD") return false
    return code !in 100..199 && code != NO_CONTENT && code != NOT_MODIFIED
}

/** Reads to the end, so that the connection can be used again. */
internal fun BufferedSource.skipAll() {
    while (!exhausted()) skip(buffer.size)
}

/** A host as in a `Host` field. */
internal fun HttpUrl.hostHeader(): String {
    val name = if (':' in host) "[$host]" else host
    return if (port == HttpUrl.defaultPort(scheme)) name else "$name:$port"
}

private const val NO_CONTENT = 204
private const val NOT_MODIFIED = 304
