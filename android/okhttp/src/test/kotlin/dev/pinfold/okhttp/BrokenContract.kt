package dev.pinfold.okhttp

import mockwebserver3.SocketEffect
import okio.Buffer
import okio.HashingSource
import okio.blackholeSink
import okio.buffer
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.assertThrows
import java.io.IOException
import java.net.ProtocolException
import java.util.concurrent.TimeUnit

/** Big, slow and broken answers. */
@Timeout(20)
class BrokenContract(
    way: Way,
) : Contract(way) {
    @Test
    fun `a large body comes whole`() {
        val large = Buffer()
        repeat(100_000) { large.writeUtf8("line $it of a large body, which is long enough\n") }
        val sum = large.sha256()
        answer { body(large) }
        send().use { response ->
            val hashing = HashingSource.sha256(response.body.source())
            hashing.buffer().readAll(blackholeSink())
            assertEquals(sum, hashing.hash)
        }
    }

    @Test
    fun `a large body in chunks comes whole`() {
        val large = "0123456789".repeat(100_000)
        answer { chunkedBody(large, 777) }
        assertEquals(large, text())
    }

    @Test
    fun `a slow answer comes whole`() {
        answer {
            headersDelay(100, TimeUnit.MILLISECONDS)
            bodyDelay(100, TimeUnit.MILLISECONDS)
            throttleBody(100, 10, TimeUnit.MILLISECONDS)
            body("0123456789".repeat(100))
        }
        assertEquals(1_000, text().length)
    }

    @Test
    fun `no answer at all is an error`() {
        repeat(3) { answer { onResponseStart(SocketEffect.CloseSocket()) } }
        fails<IOException> { send() }
    }

    @Test
    fun `half of a body of known length is an error`() {
        answer {
            body("0123456789")
            setHeader("Content-Length", "20")
            onResponseEnd(SocketEffect.ShutdownConnection)
        }
        send().use { response -> fails<ProtocolException> { response.body.bytes() } }
    }

    @Test
    fun `a body that breaks in the middle is an error`() {
        answer {
            body("x".repeat(200_000))
            onResponseBody(SocketEffect.CloseSocket())
        }
        send().use { response -> fails<IOException> { response.body.bytes() } }
    }

    @Test
    fun `chunks without a last one are an error`() {
        answer {
            setHeader("Transfer-Encoding", "chunked")
            body("5\r\nhello\r\n")
            removeHeader("Content-Length")
            onResponseEnd(SocketEffect.ShutdownConnection)
        }
        send().use { response -> fails<IOException> { response.body.bytes() } }
    }

    @Test
    fun `a chunk of no size is an error`() {
        answer {
            setHeader("Transfer-Encoding", "chunked")
            body("hello\r\nworld\r\n0\r\n\r\n")
            removeHeader("Content-Length")
        }
        fails<IOException> { text() }
    }

    @Test
    fun `what is not HTTP is an error`() {
        answer { status("this is not HTTP") }
        fails<ProtocolException> { send() }
    }

    @Test
    fun `a hundred fields, and long ones, come whole`() {
        val long = "x".repeat(10_000)
        answer {
            repeat(100) { addHeader("X-Field-$it", it) }
            addHeader("X-Long", long)
        }
        send().use { response ->
            assertEquals("99", response.header("X-Field-99"))
            assertEquals(long, response.header("X-Long"))
        }
    }

    @Test
    fun `after a broken answer the next call has another connection`() {
        answer {
            body("x".repeat(200_000))
            onResponseBody(SocketEffect.CloseSocket())
        }
        answer { body("there") }
        send().use { response -> fails<IOException> { response.body.bytes() } }
        assertEquals("there", text())
        assertNotEquals(received().connectionIndex, received().connectionIndex)
    }

    @Test
    fun `a body that was closed early is read no more`() {
        answer { body("x".repeat(1_000_000)) }
        val response = send()
        response.body.source().require(10)
        response.close()
        // Okio's own, whoever is behind it.
        assertThrows<IllegalStateException> { response.body.source().readByte() }
    }
}
