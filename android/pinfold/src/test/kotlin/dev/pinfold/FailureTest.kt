package dev.pinfold

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.net.ServerSocket
import java.net.URLEncoder
import kotlin.time.Duration
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

class FailureTest {
    @Test
    suspend fun `answers that are no HTTP are invalid responses`() {
        for (path in listOf("garbage", "bad-status", "bad-header", "nul-header", "gzip-bad")) {
            fails<PinfoldException.InvalidResponse>("invalid_response", "/$path")
        }
        fails<PinfoldException.InvalidResponse>("invalid_response", "/endless-head")
    }

    @Test
    suspend fun `a body that ends early is truncated`() {
        for (path in listOf("truncated", "short", "chunked-cut")) {
            fails<PinfoldException.Truncated>("truncated", "/$path")
        }
    }

    @Test
    suspend fun `bodies over the limit are refused, before and after gzip`() {
        val limit: ClientConfig.() -> Unit = { maxResponseBytes = 1_000 }
        for (path in listOf("bytes/1001", "chunked/1001", "gzip/1001", "endless")) {
            fails<PinfoldException.ResponseTooLarge>("response_too_large", "/$path", limit)
        }
        fails<PinfoldException.ResponseTooLarge>("response_too_large", "/bomb")
        Testkit.client(configure = limit).use { client ->
            assertEquals(1_000, client.get(Testkit.url("/gzip/1000")).body.size)
        }
    }

    @Test
    suspend fun `redirects out of HTTPS and without end are refused`() {
        val plain = URLEncoder.encode("http://${Testkit.HOST}/?token=s3cret", Charsets.UTF_8)
        fails<PinfoldException.InsecureRedirect>("insecure_redirect", "/redirect?to=$plain")
        val twice = "/redirect?to=" + URLEncoder.encode("/redirect?to=/", Charsets.UTF_8)
        fails<PinfoldException.TooManyRedirects>("too_many_redirects", twice) { maxRedirects = 1 }
    }

    @Test
    suspend fun `timeouts say which one it was`() {
        val connect =
            fails<PinfoldException.Timeout>("timeout_connect", "/", server = "hang_on_accept") {
                connectTimeout = 200.milliseconds
            }
        assertEquals(PinfoldException.Timeout.Phase.CONNECT, connect.phase)
        for (path in listOf("hang", "hang-body", "slow")) {
            val total =
                fails<PinfoldException.Timeout>("timeout_total", "/$path") {
                    timeout = 300.milliseconds
                }
            assertEquals(PinfoldException.Timeout.Phase.TOTAL, total.phase)
        }
        for (path in listOf("hang", "hang-body")) {
            val read =
                fails<PinfoldException.Timeout>("timeout_read", "/$path") {
                    readTimeout = 100.milliseconds
                }
            assertEquals(PinfoldException.Timeout.Phase.READ, read.phase)
        }
    }

    @Test
    suspend fun `a request may wait longer for its answer than others do`() {
        Testkit.client { readTimeout = 100.milliseconds }.use { client ->
            val slow = Testkit.url("/delay?ms=400")
            assertThrows<PinfoldException.Timeout> { client.get(slow) }
            for (time in listOf(Duration.ZERO, 20.seconds)) {
                assertEquals(200, client.get(slow) { readTimeout = time }.status)
            }
        }
    }

    @Test
    suspend fun `a request's own timeout goes before the client's`() {
        Testkit.client { timeout = 60.seconds }.use { client ->
            assertThrows<PinfoldException.Timeout> {
                client.get(Testkit.url("/hang")) { timeout = 200.milliseconds }
            }
            assertEquals(200, client.get(Testkit.url("/")) { timeout = 1.days }.status)
            for (time in listOf(25.hours, Duration.INFINITE)) {
                assertThrows<PinfoldException.InvalidRequest> {
                    client.get(Testkit.url("/")) { timeout = time }
                }
            }
        }
    }

    @Test
    suspend fun `a connection that breaks is lost`() {
        fails<PinfoldException.ConnectionLost>("connection_lost", "/close")
        fails<PinfoldException.ConnectionLost>("connection_lost", "/reset")
        fails<PinfoldException.ConnectionLost>("connection_lost", "/close-head")
    }

    @Test
    suspend fun `a port where nobody listens is a failed connection`() {
        val port = ServerSocket(0).use { it.localPort }
        fails<PinfoldException.ConnectFailed>("connect_failed", "/") {
            connectTo(Testkit.HOST, 443, "127.0.0.1:$port")
        }
    }

    @Test
    suspend fun `a name that does not exist is a failed lookup`() {
        val pins =
            PinSet.build {
                host("nowhere.invalid") {
                    pin(Testkit.pin("backend"))
                    backup(Testkit.pin("backup"))
                }
            }
        val ours = Roots.Only(listOf(Testkit.certificate("root")))
        PinnedClient(pins) { roots = ours }.use { client ->
            val error =
                assertThrows<PinfoldException.DnsFailed> { client.get("https://nowhere.invalid/") }
            assertEquals("dns_failed", error.code)
            assertEquals("nowhere.invalid", error.host)
        }
    }

    @Test
    suspend fun `what is no TLS is a failed handshake`() {
        fails<PinfoldException.TlsFailed>("tls_failed", "/", server = "garbage")
        fails<PinfoldException.TlsFailed>("tls_failed", "/", server = "plain_http")
        fails<PinfoldException.TlsFailed>("tls_failed", "/", server = "wrong_key")
    }

    @Test
    suspend fun `a closed client says so, in every method`() {
        val client = Testkit.client()
        client.close()
        client.close()
        val request = Request(Method.GET, Testkit.url("/"))
        val error = assertThrows<PinfoldException.ClientClosed> { client.send(request) }
        assertEquals("client_closed", error.code)
        assertThrows<PinfoldException.ClientClosed> { client.sendBlocking(request) }
        assertThrows<PinfoldException.ClientClosed> { client.replacePins(Testkit.pins) }
    }

    private suspend inline fun <reified T : PinfoldException> fails(
        code: String,
        path: String,
        noinline configure: ClientConfig.() -> Unit = {},
    ): T = fails(code, path, "backend", configure)

    private suspend inline fun <reified T : PinfoldException> fails(
        code: String,
        path: String,
        server: String,
        noinline configure: ClientConfig.() -> Unit = {},
    ): T =
        Testkit.client(server, configure = configure).use { client ->
            val error = assertThrows<T>(path) { client.get(Testkit.url(path)) }
            assertEquals(code, error.code)
            assertEquals(Testkit.HOST, error.host)
            assertTrue(error.message.isNotBlank())
            assertFalse(error.message.contains("s3cret"), error.message)
            error
        }
}
