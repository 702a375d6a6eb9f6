package dev.pinfold.okhttp

import okio.Buffer
import okio.GzipSink
import okio.buffer
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import java.io.IOException

class GzipContract(
    way: Way,
) : Contract(way) {
    @Test
    fun `gzip is asked for and decoded`() {
        compressed("hello")
        assertEquals("hello", text())
        assertEquals("gzip", received().headers["Accept-Encoding"])
    }

    @Test
    fun `what was decoded says nothing of it`() {
        compressed("hello")
        send().use {
            assertNull(it.header("Content-Encoding"))
            assertNull(it.header("Content-Length"))
            assertEquals(-1L, it.body.contentLength())
        }
    }

    @Test
    fun `the answer of the network says what was sent`() {
        compressed("hello")
        send().use {
            assertEquals("gzip", it.networkResponse?.header("Content-Encoding"))
            assertEquals("gzip", it.networkResponse?.request?.header("Accept-Encoding"))
            assertNull(it.request.header("Accept-Encoding"))
        }
    }

    @Test
    fun `who asks for a coding gets the bytes as they are`() {
        val bytes = compressed("hello")
        send { header("Accept-Encoding", "gzip") }.use {
            assertEquals("gzip", it.header("Content-Encoding"))
            assertEquals(bytes, it.body.byteString())
        }
        compressed("hello")
        send { header("Accept-Encoding", "identity") }.close()
        received()
        assertEquals("identity", received().headers["Accept-Encoding"])
    }

    @Test
    fun `a part of something compressed is not decoded`() {
        val bytes = compressed("hello", 206)
        send { header("Range", "bytes=0-99") }.use {
            assertEquals(206 to bytes, it.code to it.body.byteString())
        }
        // Difference.IDENTITY
        val asked = "identity".takeIf { way == Way.INTERCEPTOR }
        assertEquals(asked, received().headers["Accept-Encoding"])
    }

    @Test
    fun `what is not compressed is left alone`() {
        answer { body("hello") }
        send().use { assertEquals(5L to "hello", it.body.contentLength() to it.body.string()) }
    }

    @Test
    fun `GZIP is gzip`() {
        answer {
            body(zipped("hello"))
            setHeader("Content-Encoding", "GZIP")
        }
        assertEquals("hello", text())
    }

    @Test
    fun `another coding is left alone`() {
        answer {
            body("hello")
            setHeader("Content-Encoding", "br")
        }
        send().use {
            assertEquals("br" to "hello", it.header("Content-Encoding") to it.body.string())
        }
    }

    @Test
    fun `what says gzip and is none is an error`() {
        answer {
            body("this is not gzip, is it?")
            setHeader("Content-Encoding", "gzip")
        }
        fails<IOException> { text() }
    }

    @Test
    fun `half of it is an error`() {
        val whole = zipped("0123456789".repeat(1_000))
        answer {
            body(Buffer().apply { write(whole, whole.size / 2) })
            setHeader("Content-Encoding", "gzip")
        }
        fails<IOException> { text() }
    }

    private fun compressed(
        text: String,
        code: Int = 200,
    ) = zipped(text).snapshot().also { bytes ->
        answer(code) {
            body(Buffer().write(bytes))
            setHeader("Content-Encoding", "gzip")
        }
    }

    private fun zipped(text: String) =
        Buffer().also { to -> GzipSink(to).buffer().use { it.writeUtf8(text) } }
}
