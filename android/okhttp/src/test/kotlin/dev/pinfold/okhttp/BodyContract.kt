package dev.pinfold.okhttp

import okhttp3.Headers.Companion.headersOf
import okhttp3.MediaType
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.RequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okio.Buffer
import okio.BufferedSink
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.IOException
import java.net.ProtocolException

class BodyContract(
    way: Way,
) : Contract(way) {
    @Test
    fun `a body has its length and its type`() {
        answer()
        post("{}".toRequestBody("application/json".toMediaType())).close()
        val request = received()
        assertEquals("2", request.headers["Content-Length"])
        assertEquals("application/json; charset=utf-8", request.headers["Content-Type"])
        assertEquals("{}", request.body?.utf8())
    }

    @Test
    fun `a body of no known length comes in chunks`() {
        answer()
        post(written(-1) { it.writeUtf8("one").emit().writeUtf8("two") }).close()
        val request = received()
        assertEquals("chunked", request.headers["Transfer-Encoding"])
        assertNull(request.headers["Content-Length"])
        assertEquals("onetwo", request.body?.utf8())
    }

    @Test
    fun `a large body streams`() {
        answer()
        val piece = ByteArray(64 * 1024) { it.toByte() }
        post(written(64L * piece.size) { sink -> repeat(64) { sink.write(piece) } }).close()
        val request = received()
        assertEquals("${64 * piece.size}", request.headers["Content-Length"])
        assertEquals(64L * piece.size, request.bodySize)
    }

    @Test
    fun `an empty body has the length 0`() {
        answer()
        post("".toRequestBody()).close()
        assertEquals("0", received().headers["Content-Length"])
    }

    @Test
    fun `the body's type is in the place of the header's`() {
        answer()
        send {
            header("Content-Type", "text/plain")
            post("x".toRequestBody("text/html".toMediaType()))
        }.close()
        assertEquals(listOf("text/html; charset=utf-8"), received().headers.values("Content-Type"))
    }

    @Test
    fun `the header's type holds where the body has none`() {
        answer()
        send {
            header("Content-Type", "text/plain")
            post("x".toByteArray().toRequestBody())
        }.close()
        assertEquals("text/plain", received().headers["Content-Type"])
    }

    @Test
    fun `methods of other names are sent, with a body and without`() {
        repeat(3) { answer() }
        send { method("PROPFIND", "1".toRequestBody()) }.close()
        send { method("OPTIONS", null) }.close()
        send { method("M-SEARCH", null) }.close()
        val sent = List(3) { received().let { "${it.method} ${it.body?.utf8().orEmpty()}" } }
        assertEquals(listOf("PROPFIND 1", "OPTIONS ", "M-SEARCH "), sent)
    }

    @Test
    fun `PUT, PATCH and DELETE have bodies, and DELETE may have none`() {
        repeat(4) { answer() }
        send { put("1".toRequestBody()) }.close()
        send { patch("2".toRequestBody()) }.close()
        send { delete("3".toRequestBody()) }.close()
        send { delete(null) }.close()
        val sent = List(4) { received().let { "${it.method} ${it.body?.utf8().orEmpty()}" } }
        assertEquals(listOf("PUT 1", "PATCH 2", "DELETE 3", "DELETE "), sent)
    }

    @Test
    fun `an answer's length is known, or not`() {
        answer { body("12345") }
        send().use { assertEquals(5L to "12345", it.body.contentLength() to it.body.string()) }
        answer { chunkedBody("12345", 2) }
        send().use { assertEquals(-1L to "12345", it.body.contentLength() to it.body.string()) }
        answer {
            body("12345")
            removeHeader("Content-Length")
            setHeader("Connection", "close")
            onResponseEnd(mockwebserver3.SocketEffect.ShutdownConnection)
        }
        send().use { assertEquals(-1L to "12345", it.body.contentLength() to it.body.string()) }
    }

    @Test
    fun `an answer's characters are those of its type`() {
        answer {
            body(Buffer().writeByte(0xFC))
            setHeader("Content-Type", "text/plain; charset=iso-8859-1")
        }
        assertEquals("\u00FC", text())
    }

    @Test
    fun `an answer is read in pieces, and peeked into`() {
        answer { body("0123456789") }
        send().use { response ->
            assertEquals("01234", response.peekBody(5).string())
            val source = response.body.source()
            assertEquals("012", source.readUtf8(3))
            assertEquals("3456789", source.readUtf8())
            assertTrue(source.exhausted())
        }
    }

    @Test
    fun `a body that is shorter than it says is an error`() {
        answer()
        fails<IOException> { post(written(10) { it.writeUtf8("short") }) }
    }

    @Test
    fun `a body that cannot be read is told as it is`() {
        answer()
        val wrong = IOException("no such photo")
        for (length in listOf(10L, -1L)) {
            val error = fails<IOException> { post(written(length) { throw wrong }) }
            assertSame(wrong, error)
        }
    }

    @Test
    fun `trailers of an answer`() {
        answer {
            chunkedBody("body", 2)
            trailers(headersOf("X-Sum", "1"))
        }
        send().use {
            assertEquals("body", it.body.string())
            // Difference.TRAILERS
            val sum = "1".takeIf { way != Way.INTERCEPTOR }
            assertEquals(sum, it.trailers()["X-Sum"])
        }
    }

    @Test
    fun `an answer that nobody reads does not keep others waiting`() {
        answer { body("x".repeat(1_000_000)) }
        answer { body("there") }
        send().close()
        assertEquals("there", text())
    }

    @Test
    fun `a duplex body is refused over HTTP 1`() {
        answer()
        val duplex =
            object : RequestBody() {
                override fun contentType(): MediaType? = null

                override fun isDuplex() = true

                override fun writeTo(sink: BufferedSink) = sink.close()
            }
        fails<ProtocolException> { post(duplex) }
    }

    private fun written(
        length: Long,
        write: (BufferedSink) -> Unit,
    ) = object : RequestBody() {
        override fun contentType(): MediaType? = null

        override fun contentLength() = length

        override fun writeTo(sink: BufferedSink) = write(sink)
    }
}
