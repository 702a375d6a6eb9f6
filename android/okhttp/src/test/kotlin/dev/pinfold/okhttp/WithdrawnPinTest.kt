package dev.pinfold.okhttp

import dev.pinfold.PinSet
import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import mockwebserver3.Dispatcher
import mockwebserver3.MockResponse
import mockwebserver3.MockWebServer
import mockwebserver3.RecordedRequest
import mockwebserver3.SocketEffect
import okhttp3.OkHttpClient
import okhttp3.Protocol
import okhttp3.Request
import okhttp3.Response
import okhttp3.WebSocket
import okhttp3.WebSocketListener
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.EnumSource
import java.io.IOException
import java.net.InetAddress
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit

/** A pin that is withdrawn while an app runs: whatever there is of the old connection is not used. */
@Timeout(20)
class WithdrawnPinTest {
    private val server = MockWebServer()
    private val pinned: PinnedClient by lazy {
        val port = server.port
        PinnedClient(Pki.pins()) {
            roots = Roots.Only(listOf(Pki.root.certificate.encoded))
            for (host in listOf(Pki.HOST, Pki.OTHER)) connectTo(host, port, "127.0.0.1:$port")
        }
    }
    private var http = OkHttpClient()

    @AfterEach
    fun stop() {
        http.dispatcher.executorService.shutdownNow()
        http.connectionPool.evictAll()
        pinned.close()
        server.close()
    }

    @Test
    fun `a live HTTP 2 connection`() {
        start(Way.TRUST_MANAGER)
        server.enqueue(stalled())
        val live = send()
        assertEquals(Protocol.HTTP_2, live.protocol)
        live.body.source().require(1)
        withdraw()
        assertRefused { send() }
        assertEquals(1, server.requestCount)
        live.close()
    }

    @ParameterizedTest
    @EnumSource(names = ["INTERCEPTOR", "TRUST_MANAGER"])
    fun `a pooled connection`(way: Way) {
        for (protocol in listOf(Protocol.HTTP_2, Protocol.HTTP_1_1)) {
            if (protocol == Protocol.HTTP_2) start(way) else http = client(way, Protocol.HTTP_1_1)
            pinned.replacePins(Pki.pins())
            server.enqueue(MockResponse(body = "there"))
            assertEquals("there", send().use { it.body.string() })
            withdraw()
            val before = server.requestCount
            assertRefused { send() }
            assertEquals(before, server.requestCount)
        }
    }

    @ParameterizedTest
    @EnumSource(names = ["INTERCEPTOR", "TRUST_MANAGER"])
    fun `a session that could be resumed`(way: Way) {
        start(way, Protocol.HTTP_1_1)
        server.enqueue(MockResponse.Builder().setHeader("Connection", "close").build())
        send().close()
        withdraw()
        assertRefused { send() }
        assertEquals(1, server.requestCount)
    }

    @Test
    fun `a connection that serves another name`() {
        start(Way.TRUST_MANAGER)
        repeat(2) { server.enqueue(MockResponse(body = "there")) }
        send(Pki.HOST).close()
        send(Pki.OTHER).close()
        val connections = List(2) { server.takeRequest().connectionIndex }
        assertEquals(listOf(0, 0), connections, "the other name has a connection of its own")
        pinned.replacePins(
            PinSet.build {
                host(Pki.HOST) {
                    pin(Pki.pin(Pki.good))
                    backup(Pki.pin(Pki.rotated))
                }
                host(Pki.OTHER) {
                    pin(Pki.pin(Pki.rotated))
                    backup(Pki.pin(Pki.untrusted))
                }
            },
        )
        assertRefused { send(Pki.OTHER) }
        assertEquals(2, server.requestCount)
    }

    /** The trust manager is not asked again, and the certificate has the name. */
    @Test
    fun `a connection is not used for a name that nobody pins`() {
        start(Way.TRUST_MANAGER)
        server.enqueue(MockResponse(body = "there"))
        send(Pki.HOST).close()
        val error = assertThrows<IOException> { send(Pki.UNPINNED) }
        assertInstanceOf(PinfoldException.HostNotPinned::class.java, error.pinfold)
        assertEquals(1, server.requestCount)
    }

    @ParameterizedTest
    @EnumSource(names = ["INTERCEPTOR", "TRUST_MANAGER"])
    fun `the connection on which a redirect would be followed`(way: Way) {
        server.dispatcher =
            object : Dispatcher() {
                override fun dispatch(request: RecordedRequest): MockResponse {
                    withdraw()
                    return MockResponse
                        .Builder()
                        .code(307)
                        .setHeader("Location", "/there")
                        .build()
                }
            }
        start(way)
        assertRefused { send() }
        assertEquals(1, server.requestCount)
    }

    @Test
    fun `a WebSocket's connection`() {
        start(Way.TRUST_MANAGER)
        server.enqueue(
            MockResponse.Builder().webSocketUpgrade(object : WebSocketListener() {}).build(),
        )
        assertEquals(101, open().get(SECONDS, TimeUnit.SECONDS).first)
        withdraw()
        val (_, error) = open().get(SECONDS, TimeUnit.SECONDS)
        assertInstanceOf(PinfoldException.PinMismatch::class.java, error?.pinfold)
        assertEquals(1, server.requestCount)
    }

    @ParameterizedTest
    @EnumSource(names = ["INTERCEPTOR", "TRUST_MANAGER"])
    fun `and a pin that is back is good again`(way: Way) {
        start(way)
        repeat(2) { server.enqueue(MockResponse(body = "there")) }
        send().close()
        withdraw()
        assertRefused { send() }
        pinned.replacePins(Pki.pins())
        send().close()
        assertEquals(2, server.requestCount)
    }

    /** The status, or what it failed with. */
    private fun open(): CompletableFuture<Pair<Int, Throwable?>> {
        val opened = CompletableFuture<Pair<Int, Throwable?>>()
        http.newWebSocket(
            Request.Builder().url(url(Pki.HOST)).build(),
            object : WebSocketListener() {
                override fun onOpen(
                    webSocket: WebSocket,
                    response: Response,
                ) {
                    opened.complete(response.code to null)
                }

                override fun onFailure(
                    webSocket: WebSocket,
                    t: Throwable,
                    response: Response?,
                ) {
                    opened.complete(0 to t)
                }
            },
        )
        return opened
    }

    private fun start(
        way: Way,
        vararg protocols: Protocol = arrayOf(Protocol.HTTP_2, Protocol.HTTP_1_1),
    ) {
        server.useHttps(Pki.server(Pki.good).sslSocketFactory())
        server.start(InetAddress.getByName("127.0.0.1"), 0)
        http = client(way, *protocols)
    }

    private fun client(
        way: Way,
        vararg protocols: Protocol,
    ): OkHttpClient {
        val builder =
            OkHttpClient
                .Builder()
                .protocols(protocols.toList())
                .dns { listOf(InetAddress.getByName("127.0.0.1")) }
        return when (way) {
            Way.INTERCEPTOR -> builder.addInterceptor(PinfoldInterceptor(pinned))
            else -> builder.pinfold(pinned)
        }.build()
    }

    private fun url(host: String) = "https://$host:${server.port}/"

    private fun send(host: String = Pki.HOST): Response =
        http.newCall(Request.Builder().url(url(host)).build()).execute()

    private fun withdraw() = pinned.replacePins(Pki.pins(Pki.rotated))

    private fun assertRefused(work: () -> Response) {
        val error = assertThrows<IOException> { work().close() }
        assertInstanceOf(PinfoldException.PinMismatch::class.java, error.pinfold)
    }

    private fun stalled() =
        MockResponse
            .Builder()
            .body("x".repeat(100_000))
            .onResponseBody(SocketEffect.Stall)
            .build()

    private companion object {
        const val SECONDS = 10L
    }
}
