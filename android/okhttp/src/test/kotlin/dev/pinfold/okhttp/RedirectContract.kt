package dev.pinfold.okhttp

import mockwebserver3.MockResponse
import mockwebserver3.MockWebServer
import okhttp3.RequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okio.BufferedSink
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import java.net.ProtocolException
import java.net.UnknownServiceException

class RedirectContract(
    way: Way,
) : Contract(way) {
    @Test
    fun `a GET follows 300, 301, 302, 303, 307 and 308`() {
        for (code in listOf(300, 301, 302, 303, 307, 308)) {
            redirect(code, "/there?a=b")
            answer { body("there") }
            assertEquals("there", text("/here"), "$code")
            assertEquals("/here", received().target)
            val second = received()
            assertEquals("GET /there?a=b", "${second.method} ${second.target}")
        }
    }

    @Test
    fun `a POST becomes a GET without its body and what was said of it`() {
        for (code in listOf(301, 302, 303)) {
            redirect(code, "/there")
            answer()
            post("body".toRequestBody()).close()
            assertEquals("body", received().body?.utf8())
            val second = received()
            assertEquals("GET", second.method)
            assertEquals(0, second.bodySize)
            for (name in listOf("Content-Length", "Content-Type", "Transfer-Encoding")) {
                assertNull(second.headers[name], "$code $name")
            }
        }
    }

    @Test
    fun `307 and 308 keep method and body`() {
        for (code in listOf(307, 308)) {
            redirect(code, "/there")
            answer()
            send { put("body".toRequestBody()) }.close()
            received()
            val second = received()
            assertEquals("PUT", second.method)
            assertEquals("body", second.body?.utf8())
        }
    }

    @Test
    fun `a HEAD stays a HEAD`() {
        redirect(302, "/there")
        answer()
        send { head() }.close()
        received()
        assertEquals("HEAD", received().method)
    }

    @Test
    fun `another host gets no Authorization, and the rest`() {
        redirect(302, url("/there", Pki.OTHER).toString())
        answer()
        send { header("Authorization", "secret").header("X-Other", "1") }.close()
        assertEquals("secret", received().headers["Authorization"])
        val second = received()
        assertNull(second.headers["Authorization"])
        assertEquals("1", second.headers["X-Other"])
        assertEquals("${Pki.OTHER}:${server.port}", second.headers["Host"])
    }

    @Test
    fun `the same origin gets the Authorization`() {
        redirect(302, url("/there").toString())
        answer()
        send { header("Authorization", "secret") }.close()
        received()
        assertEquals("secret", received().headers["Authorization"])
    }

    @Test
    fun `without redirects a redirect is the answer`() {
        redirect(302, "/there")
        val client = client { followRedirects(false) }
        send(client = client).use {
            assertEquals(302 to "/there", it.code to it.header("Location"))
        }
        assertEquals(1, server.requestCount)
    }

    @Test
    fun `a redirect to nowhere is the answer`() {
        answer(302) { body("where?") }
        send().use { assertEquals("where?", it.body.string()) }
    }

    @Test
    fun `a redirect to what is no web address is the answer`() {
        redirect(302, "mailto:a@b.test")
        send().use { assertEquals(302, it.code) }
    }

    @Test
    fun `twenty redirects are followed and no more`() {
        repeat(20) { redirect(301, "/$it") }
        answer { body("there") }
        assertEquals("there", text())
        repeat(21) { redirect(301, "/$it") }
        val error = fails<ProtocolException> { send() }
        assertEquals("Too many follow-up requests: 21", error.message)
    }

    @Test
    fun `the answer says where it comes from and what came before`() {
        redirect(301, "one")
        redirect(302, "/two")
        answer { body("there") }
        send("/a/b").use { response ->
            assertEquals(url("/two"), response.request.url)
            val prior = checkNotNull(response.priorResponse)
            assertEquals(302 to url("/a/one"), prior.code to prior.request.url)
            assertEquals(301, prior.priorResponse?.code)
            assertNull(prior.priorResponse?.priorResponse)
        }
    }

    @Test
    fun `a body that can be sent once is not sent to where a redirect leads`() {
        redirect(308, "/there")
        val once =
            object : RequestBody() {
                override fun contentType() = null

                override fun contentLength() = 4L

                override fun isOneShot() = true

                override fun writeTo(sink: BufferedSink) {
                    sink.writeUtf8("body")
                }
            }
        post(once).use { assertEquals(308, it.code) }
        assertEquals("body", received().body?.utf8())
    }

    @Test
    fun `what a redirect says in its body is nobody's`() {
        answer(302) {
            setHeader("Location", "/there")
            body("x".repeat(100_000))
        }
        answer { body("there") }
        assertEquals("there", text())
    }

    @Test
    fun `HTTPS does not lead to HTTP`() {
        MockWebServer().use { clear ->
            clear.start()
            clear.enqueue(MockResponse.Builder().body("in the clear").build())
            redirect(302, clear.url("/").toString())
            when (way) {
                Way.PLAIN -> assertEquals("in the clear", text())

                // Difference.CLEARTEXT
                Way.INTERCEPTOR -> fails<UnknownServiceException> { send() }

                Way.TRUST_MANAGER -> send().use { assertEquals(302, it.code) }
            }
            assertEquals(if (way == Way.PLAIN) 1 else 0, clear.requestCount)
        }
    }
}
