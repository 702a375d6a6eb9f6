package dev.pinfold.ktor

import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import dev.pinfold.okhttp.Pki
import dev.pinfold.okhttp.pinfold
import io.ktor.client.HttpClient
import io.ktor.client.HttpClientConfig
import io.ktor.client.engine.okhttp.OkHttp
import io.ktor.client.network.sockets.SocketTimeoutException
import io.ktor.client.plugins.HttpRequestTimeoutException
import io.ktor.client.plugins.HttpTimeout
import io.ktor.client.plugins.cookies.HttpCookies
import io.ktor.client.plugins.sse.SSE
import io.ktor.client.plugins.sse.sse
import io.ktor.client.plugins.timeout
import io.ktor.client.request.HttpRequestBuilder
import io.ktor.client.request.delete
import io.ktor.client.request.forms.formData
import io.ktor.client.request.forms.submitFormWithBinaryData
import io.ktor.client.request.get
import io.ktor.client.request.head
import io.ktor.client.request.header
import io.ktor.client.request.post
import io.ktor.client.request.prepareGet
import io.ktor.client.request.put
import io.ktor.client.request.request
import io.ktor.client.request.setBody
import io.ktor.client.statement.HttpResponse
import io.ktor.client.statement.bodyAsBytes
import io.ktor.client.statement.bodyAsChannel
import io.ktor.client.statement.bodyAsText
import io.ktor.client.statement.request
import io.ktor.http.ContentType
import io.ktor.http.HttpHeaders
import io.ktor.http.HttpMethod
import io.ktor.http.HttpStatusCode
import io.ktor.http.content.OutgoingContent
import io.ktor.http.contentLength
import io.ktor.http.contentType
import io.ktor.utils.io.ByteReadChannel
import io.ktor.utils.io.ByteWriteChannel
import io.ktor.utils.io.readByte
import io.ktor.utils.io.writeFully
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import mockwebserver3.MockResponse
import mockwebserver3.MockWebServer
import mockwebserver3.RecordedRequest
import mockwebserver3.SocketEffect
import okhttp3.OkHttpClient
import okhttp3.Protocol
import okio.Buffer
import okio.GzipSink
import okio.buffer
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedClass
import org.junit.jupiter.params.provider.EnumSource
import java.io.IOException
import java.net.InetAddress
import java.util.concurrent.TimeUnit

/** How Ktor's calls are sent. */
enum class Engine {
    /** By Ktor's engine over OkHttp: what the others are measured by. */
    OKHTTP,

    /** By [Pinfold]. */
    PINFOLD,

    /** By Ktor's engine over OkHttp, with `pinfold(client)`. */
    OKHTTP_PINFOLD,
}

@Serializable
data class Order(
    val item: Int,
)

/** What Ktor's users see, by each engine. */
@Timeout(20)
@ParameterizedClass
@EnumSource(Engine::class)
class KtorContract(
    private val engine: Engine,
) {
    private val server = MockWebServer()
    private lateinit var pinned: PinnedClient
    private val clients = mutableListOf<HttpClient>()

    @BeforeEach
    fun start() {
        server.protocols = listOf(Protocol.HTTP_1_1)
        server.useHttps(Pki.server(Pki.good).sslSocketFactory())
        server.start(InetAddress.getByName("127.0.0.1"), 0)
        pinned =
            PinnedClient(Pki.pins()) {
                roots = Roots.Only(listOf(Pki.root.certificate.encoded))
                for (host in listOf(Pki.HOST, Pki.OTHER)) {
                    connectTo(host, server.port, "127.0.0.1:${server.port}")
                }
            }
    }

    @AfterEach
    fun stop() {
        clients.forEach(HttpClient::close)
        pinned.close()
        server.close()
    }

    private fun client(configure: HttpClientConfig<*>.() -> Unit = {}): HttpClient =
        when (engine) {
            Engine.PINFOLD -> {
                HttpClient(Pinfold) {
                    engine { client = pinned }
                    configure()
                }
            }

            else -> {
                HttpClient(OkHttp) {
                    engine { preconfigured = okHttp() }
                    configure()
                }
            }
        }.also { clients += it }

    private fun okHttp(): OkHttpClient {
        val builder = OkHttpClient.Builder().dns { listOf(InetAddress.getByName("127.0.0.1")) }
        when (engine) {
            Engine.OKHTTP -> {
                builder.sslSocketFactory(Pki.trust.sslSocketFactory(), Pki.trust.trustManager)
            }

            else -> {
                builder.pinfold(pinned)
            }
        }
        return builder.build()
    }

    private fun url(
        path: String = "/",
        host: String = Pki.HOST,
    ) = "https://$host:${server.port}$path"

    private fun answer(
        code: Int = 200,
        configure: MockResponse.Builder.() -> Unit = {},
    ) = server.enqueue(
        MockResponse
            .Builder()
            .code(code)
            .apply(configure)
            .build(),
    )

    private fun received(): RecordedRequest =
        checkNotNull(server.takeRequest(10, TimeUnit.SECONDS)) { "no request came" }

    private suspend fun post(
        body: Any,
        configure: HttpRequestBuilder.() -> Unit = {},
    ): HttpResponse =
        client().post(url()) {
            setBody(body)
            configure()
        }

    @Test
    suspend fun `a GET has its path, its query and its headers`() {
        answer { body("there") }
        val response =
            client().get(url("/a%2Fb?c=d%20e#f")) {
                header("X-One", "1")
            }
        assertEquals(HttpStatusCode.OK to "there", response.status to response.bodyAsText())
        val request = received()
        assertEquals("/a%2Fb?c=d%20e", request.target)
        assertEquals("1", request.headers["X-One"])
        assertEquals("ktor-client", request.headers["User-Agent"])
    }

    @Test
    suspend fun `a text has its length and its type`() {
        answer()
        post("{}") { contentType(ContentType.Application.Json) }
        val request = received()
        assertEquals("application/json", request.headers["Content-Type"])
        assertEquals("2" to "{}", request.headers["Content-Length"] to request.body?.utf8())
    }

    @Test
    suspend fun `a channel is sent, with its length or in chunks`() {
        repeat(2) { answer() }
        val large = ByteArray(300_000) { it.toByte() }
        post(ByteReadChannel(large))
        assertEquals("chunked", received().headers["Transfer-Encoding"])
        post(
            object : OutgoingContent.WriteChannelContent() {
                override val contentLength = large.size.toLong()

                override suspend fun writeTo(channel: ByteWriteChannel) = channel.writeFully(large)
            },
        )
        val request = received()
        assertEquals("300000", request.headers["Content-Length"])
        assertEquals(300_000, request.bodySize)
    }

    @Test
    suspend fun `a form is sent`() {
        answer()
        client().submitFormWithBinaryData(url(), formData { append("a", "1") })
        val request = received()
        val type = checkNotNull(request.headers["Content-Type"])
        assertEquals(true, type.startsWith("multipart/form-data; boundary="))
        assertEquals(true, "\r\n\r\n1\r\n" in checkNotNull(request.body).utf8())
    }

    @Test
    suspend fun `PUT and DELETE, with a body and without`() {
        repeat(3) { answer() }
        client().put(url()) { setBody("1") }
        client().delete(url()) { setBody("2") }
        client().delete(url())
        val sent = List(3) { received().let { "${it.method} ${it.body?.utf8().orEmpty()}" } }
        assertEquals(listOf("PUT 1", "DELETE 2", "DELETE "), sent)
    }

    @Test
    suspend fun `methods of other names are sent, with a body and without`() {
        repeat(2) { answer() }
        client().request(url()) {
            method = HttpMethod("PROPFIND")
            setBody("1")
        }
        client().request(url()) { method = HttpMethod.Options }
        val sent = List(2) { received().let { "${it.method} ${it.body?.utf8().orEmpty()}" } }
        assertEquals(listOf("PROPFIND 1", "OPTIONS "), sent)
    }

    @Test
    suspend fun `what a body's writer throws is told`() {
        answer()
        val wrong =
            object : OutgoingContent.WriteChannelContent() {
                override suspend fun writeTo(channel: ByteWriteChannel): Unit =
                    throw IOException("no photo")
            }
        val error = runCatching { post(wrong) }.exceptionOrNull()
        // By OkHttp's engine nobody is told, and the server takes what has come for all of it.
        if (engine != Engine.PINFOLD) return
        val causes = generateSequence(error) { it.cause }.map { it.message }
        assertEquals(true, causes.any { "no photo" in it.orEmpty() }, "$error")
    }

    @Test
    suspend fun `JSON comes and goes`() {
        answer {
            setHeader("Content-Type", "application/json")
            body("""{"item":8}""")
        }
        val response =
            post(Json.encodeToString(Order(7))) { contentType(ContentType.Application.Json) }
        assertEquals(Order(8), Json.decodeFromString<Order>(response.bodyAsText()))
        assertEquals("""{"item":7}""", received().body?.utf8())
    }

    @Test
    suspend fun `every status is an answer`() {
        for (code in listOf(201, 404, 418, 500)) {
            answer(code) { body("status $code") }
            val response = client().get(url())
            assertEquals(code to "status $code", response.status.value to response.bodyAsText())
        }
    }

    @Test
    suspend fun `204, 304 and HEAD have no body`() {
        answer(204) { clearHeaders() }
        answer(304) { clearHeaders() }
        repeat(2) { assertEquals("", client().get(url()).bodyAsText()) }
        answer {
            clearHeaders()
            setHeader("Content-Length", "100")
        }
        val response = client().head(url())
        assertEquals(100L to "", response.contentLength() to response.bodyAsText())
    }

    @Test
    suspend fun `a redirect is Ktor's to follow`() {
        answer(302) { setHeader("Location", url("/there", Pki.OTHER)) }
        answer { body("there") }
        val response = client().get(url("/here"))
        assertEquals("there", response.bodyAsText())
        assertEquals(url("/there", Pki.OTHER), response.request.url.toString())
        received()
        assertEquals("${Pki.OTHER}:${server.port}", received().headers["Host"])
    }

    @Test
    suspend fun `a redirect is the answer where it is not followed`() {
        answer(302) { setHeader("Location", "/there") }
        val response = client { followRedirects = false }.get(url())
        assertEquals("/there", response.headers[HttpHeaders.Location])
    }

    @Test
    suspend fun `cookies are Ktor's to keep`() {
        answer { addHeader("Set-Cookie", "a=b") }
        answer()
        val client = client { install(HttpCookies) }
        repeat(2) { client.get(url()) }
        assertNull(received().headers["Cookie"])
        assertEquals("a=b", received().headers["Cookie"])
    }

    @Test
    suspend fun `gzip is decoded, unless it is asked for`() {
        val (plain, coded) = "hello, hello, hello".let { it to zipped(it).snapshot() }
        repeat(2) {
            answer {
                body(Buffer().write(coded))
                setHeader("Content-Encoding", "gzip")
            }
        }
        val response = client().get(url())
        assertEquals(plain to null, response.bodyAsText() to response.headers["Content-Encoding"])
        val asked = client().get(url()) { header("Accept-Encoding", "gzip") }
        assertEquals(coded.size, asked.bodyAsBytes().size)
    }

    @Test
    suspend fun `a large body is pulled in pieces`() {
        val large = "0123456789".repeat(100_000)
        answer { chunkedBody(large, 10_000) }
        client().prepareGet(url()).execute { response ->
            val first = response.bodyAsChannel().readByte()
            assertEquals('0'.code.toByte(), first)
        }
        answer { body(large) }
        assertEquals(large.length, client().get(url()).bodyAsBytes().size)
    }

    @Test
    suspend fun `half of a body is an error`() {
        answer {
            body("0123456789")
            setHeader("Content-Length", "20")
            onResponseEnd(SocketEffect.ShutdownConnection)
        }
        assertThrows<IOException> { client().get(url()).bodyAsText() }
    }

    @Test
    suspend fun `no answer is an error`() {
        repeat(3) { answer { onResponseStart(SocketEffect.CloseSocket()) } }
        assertThrows<IOException> { client().get(url()) }
    }

    @Test
    suspend fun `Server-Sent Events come one by one`() {
        answer {
            setHeader("Content-Type", "text/event-stream")
            body("id: 1\ndata: one\n\ndata: two\n\n")
        }
        val client = client { install(SSE) }
        client.sse(url()) {
            assertEquals("one", incoming.first().data)
        }
    }

    @Test
    suspend fun `the request timeout ends the wait for an answer`() {
        answer { onResponseStart(SocketEffect.Stall) }
        val client = client { install(HttpTimeout) { requestTimeoutMillis = SHORT } }
        assertThrows<HttpRequestTimeoutException> { client.get(url()) }
    }

    @Test
    suspend fun `the socket timeout ends the wait for the next bytes`() {
        answer { onResponseStart(SocketEffect.Stall) }
        val client = client { install(HttpTimeout) }
        assertThrows<SocketTimeoutException> {
            client.get(url()) { timeout { socketTimeoutMillis = SHORT } }
        }
    }

    @Test
    suspend fun `cancelling the coroutine ends the call`() =
        coroutineScope {
            answer { onResponseStart(SocketEffect.Stall) }
            val client = client()
            val call = async(Dispatchers.IO) { client.get(url()) }
            received()
            call.cancel()
            assertThrows<CancellationException> { call.await() }
            answer { body("there") }
            assertEquals("there", client.get(url()).bodyAsText())
        }

    @Test
    suspend fun `cancelling the coroutine ends a body`() =
        coroutineScope {
            answer {
                body("x".repeat(200_000))
                onResponseBody(SocketEffect.Stall)
            }
            val client = client()
            val begun = CompletableDeferred<Unit>()
            val call =
                async(Dispatchers.IO) {
                    client.prepareGet(url()).execute { response ->
                        val channel = response.bodyAsChannel()
                        channel.readByte()
                        begun.complete(Unit)
                        while (true) channel.readByte()
                    }
                }
            begun.await()
            call.cancel()
            assertThrows<CancellationException> { call.await() }
            Unit
        }

    @Test
    suspend fun `a closed client closes nothing of Pinfold's`() {
        answer { body("there") }
        client().close()
        assertEquals("there", client().get(url()).bodyAsText())
    }

    @Test
    suspend fun `another key is refused before a request`() {
        pinned.replacePins(Pki.pins(Pki.rotated))
        answer { body("there") }
        val work: suspend () -> String = { client().get(url()).bodyAsText() }
        if (engine == Engine.OKHTTP) {
            assertEquals("there", work())
        } else {
            val error = assertThrows<IOException> { work() }
            assertInstanceOf(PinfoldException.PinMismatch::class.java, error.pinfold)
            assertEquals(0, server.requestCount)
        }
    }

    @Test
    suspend fun `a pin that is withdrawn while the app runs is refused`() {
        if (engine == Engine.OKHTTP) return
        answer { body("there") }
        val client = client()
        assertEquals("there", client.get(url()).bodyAsText())
        pinned.replacePins(Pki.pins(Pki.rotated))
        val error = assertThrows<IOException> { client.get(url()) }
        assertInstanceOf(PinfoldException.PinMismatch::class.java, error.pinfold)
        assertEquals(1, server.requestCount)
    }

    private fun zipped(text: String) =
        Buffer().also { to -> GzipSink(to).buffer().use { it.writeUtf8(text) } }

    private companion object {
        const val SHORT = 200L
    }
}
