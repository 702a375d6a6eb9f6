package dev.pinfold.okhttp

import mockwebserver3.MockResponse
import okhttp3.RequestBody.Companion.toRequestBody
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import java.net.ProtocolException

/** Interim answers, and those that have no body. */
class StatusContract(
    way: Way,
) : Contract(way) {
    @Test
    fun `100, 102 and 103 come before the answer`() {
        for (code in listOf(100, 102, 103)) {
            answer {
                addInformationalResponse(interim(code))
                body("there")
            }
            send().use { assertEquals(200 to "there", it.code to it.body.string()) }
        }
    }

    @Test
    fun `a 100 that has a header`() {
        answer {
            addInformationalResponse(interim(100) { setHeader("X-Interim", "1") })
            body("there")
        }
        when (way) {
            // Difference.INTERIM
            Way.INTERCEPTOR -> fails<ProtocolException> { send() }

            Way.PLAIN, Way.TRUST_MANAGER -> assertEquals("there", text())
        }
    }

    @Test
    fun `several of them come before the answer`() {
        answer {
            repeat(3) {
                addInformationalResponse(interim(103) { setHeader("Link", "<$it>") })
            }
            body("there")
        }
        send().use {
            assertNull(it.header("Link"))
            assertEquals("there", it.body.string())
        }
    }

    @Test
    fun `HEAD has headers and no body`() {
        answer {
            clearHeaders()
            setHeader("Content-Length", "100")
        }
        send { head() }.use {
            assertEquals("100", it.header("Content-Length"))
            assertEquals(0L to "", it.body.contentLength() to it.body.string())
        }
    }

    @Test
    fun `HEAD of something compressed has nothing to decode`() {
        answer {
            clearHeaders()
            setHeader("Content-Encoding", "gzip")
            setHeader("Content-Length", "100")
        }
        send { head() }.use {
            assertEquals("gzip", it.header("Content-Encoding"))
            assertEquals("", it.body.string())
        }
    }

    @Test
    fun `after a HEAD its connection serves the next call`() {
        answer {
            clearHeaders()
            setHeader("Content-Length", "100")
        }
        answer { body("there") }
        send { head() }.close()
        assertEquals("there", text())
        assertEquals(received().connectionIndex, received().connectionIndex)
    }

    @Test
    fun `204 has no body`() {
        answer(204) { clearHeaders() }
        send().use {
            assertEquals(204, it.code)
            assertEquals(0L to "", it.body.contentLength() to it.body.string())
        }
    }

    @Test
    fun `204 that says it has one is an error`() {
        answer(204) { body("12345") }
        fails<ProtocolException> { send() }
    }

    @Test
    fun `205 has no body`() {
        answer(205)
        send().use { assertEquals("", it.body.string()) }
    }

    @Test
    fun `304 has no body, and says what a 200 would have`() {
        answer(304) {
            clearHeaders()
            setHeader("ETag", "\"a\"")
        }
        answer { body("there") }
        send { header("If-None-Match", "\"a\"") }.use {
            assertEquals("\"a\"", it.header("ETag"))
            assertEquals(304 to "", it.code to it.body.string())
        }
        assertEquals("there", text())
        assertEquals("\"a\"", received().headers["If-None-Match"])
    }

    @Test
    fun `every other status has its body`() {
        for (code in listOf(200, 201, 202, 206, 226, 299, 404, 418, 500, 599)) {
            answer(code) { body("status $code") }
            send().use { assertEquals("status $code", it.body.string()) }
        }
    }

    @Test
    fun `Expect is answered before the body, or not sent`() {
        answer { addInformationalResponse(interim(100)) }
        send {
            header("Expect", "100-continue")
            post("body".toRequestBody())
        }.close()
        val request = received()
        // Difference.CONNECTION_HEADERS
        val sent = "100-continue".takeIf { way != Way.INTERCEPTOR }
        assertEquals(sent, request.headers["Expect"])
        assertEquals("body", request.body?.utf8())
    }

    private fun interim(
        code: Int,
        configure: MockResponse.Builder.() -> Unit = {},
    ) = MockResponse
        .Builder()
        .code(code)
        .clearHeaders()
        .apply(configure)
        .build()
}
