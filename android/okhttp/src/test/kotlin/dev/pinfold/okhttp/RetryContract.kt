package dev.pinfold.okhttp

import mockwebserver3.SocketEffect
import okhttp3.RequestBody.Companion.toRequestBody
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import java.io.IOException
import java.net.ConnectException
import java.net.ProtocolException

class RetryContract(
    way: Way,
) : Contract(way) {
    @Test
    fun `503 with Retry-After 0 is asked again once`() {
        answer(503) { setHeader("Retry-After", "0") }
        answer { body("there") }
        post("body".toRequestBody()).use { assertEquals("there", it.body.string()) }
        received()
        assertEquals("body", received().body?.utf8())
        repeat(2) { answer(503) { setHeader("Retry-After", "0") } }
        send().use { assertEquals(503, it.code) }
        assertEquals(4, server.requestCount)
    }

    @Test
    fun `503 that wants time is the answer`() {
        for (wait in listOf(null, "1", "Fri, 31 Dec 2027 23:59:59 GMT")) {
            answer(503) { wait?.let { setHeader("Retry-After", it) } }
            send().use { assertEquals(503, it.code, wait) }
        }
        assertEquals(3, server.requestCount)
    }

    @Test
    fun `408 is asked again once, with the body`() {
        answer(408)
        answer { body("there") }
        post("body".toRequestBody()).use { assertEquals("there", it.body.string()) }
        received()
        assertEquals("body", received().body?.utf8())
        repeat(2) { answer(408) }
        send().use { assertEquals(408, it.code) }
        assertEquals(4, server.requestCount)
    }

    @Test
    fun `408 that wants time is the answer`() {
        answer(408) { setHeader("Retry-After", "1") }
        send().use { assertEquals(408, it.code) }
    }

    @Test
    fun `408 is the answer where retries are off`() {
        answer(408)
        val client = client { retryOnConnectionFailure(false) }
        send(client = client).use { assertEquals(408, it.code) }
    }

    @Test
    fun `other errors are answers`() {
        for (code in listOf(400, 404, 429, 500, 502, 504)) {
            answer(code) { body("status $code") }
            send().use { assertEquals("status $code", it.body.string()) }
        }
        assertEquals(6, server.requestCount)
    }

    @Test
    fun `an authenticator answers 401`() {
        answer(401) { setHeader("WWW-Authenticate", "Basic realm=\"there\"") }
        answer { body("there") }
        val client =
            client {
                authenticator { _, response ->
                    assertEquals("there", response.challenges().single().realm)
                    response.request
                        .newBuilder()
                        .header("Authorization", "secret")
                        .build()
                }
            }
        assertEquals("there", text(client = client))
        assertNull(received().headers["Authorization"])
        assertEquals("secret", received().headers["Authorization"])
    }

    @Test
    fun `an authenticator gives up`() {
        answer(401)
        answer(401) { body("no") }
        val client =
            client {
                authenticator { _, response ->
                    val isFirst = response.priorResponse == null
                    response.request.takeIf { isFirst }
                }
            }
        assertEquals("no", text(client = client))
        assertEquals(2, server.requestCount)
    }

    @Test
    fun `401 without an authenticator is the answer`() {
        answer(401) { body("no") }
        send().use { assertEquals(401 to "no", it.code to it.body.string()) }
    }

    @Test
    fun `407 of a server is an error`() {
        answer(407)
        fails<ProtocolException> { send() }
    }

    @Test
    fun `a GET goes on another connection when the old one is stale`() {
        answer {
            body("one")
            onResponseEnd(SocketEffect.ShutdownConnection)
        }
        answer { body("two") }
        assertEquals("one", text())
        assertEquals("two", text())
        assertNotEquals(received().connectionIndex, received().connectionIndex)
    }

    @Test
    fun `a POST on a connection that breaks`() {
        answer { body("one") }
        answer { onResponseStart(SocketEffect.CloseSocket()) }
        answer { body("two") }
        assertEquals("one", text())
        val sent = { post("body".toRequestBody()).use { it.body.string() } }
        when (way) {
            // Difference.POST_ON_STALE: it may have been done.
            Way.INTERCEPTOR -> fails<IOException> { sent() }

            Way.PLAIN, Way.TRUST_MANAGER -> assertEquals("two", sent())
        }
    }

    @Test
    fun `nobody is there`() {
        val nowhere = request()
        http
        server.close()
        fails<ConnectException> { http.newCall(nowhere).execute() }
    }
}
