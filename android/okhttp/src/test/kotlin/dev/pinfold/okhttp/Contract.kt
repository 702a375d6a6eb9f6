package dev.pinfold.okhttp

import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import mockwebserver3.MockResponse
import mockwebserver3.MockWebServer
import mockwebserver3.RecordedRequest
import okhttp3.CertificatePinner
import okhttp3.HttpUrl
import okhttp3.HttpUrl.Companion.toHttpUrl
import okhttp3.OkHttpClient
import okhttp3.Protocol
import okhttp3.Request
import okhttp3.RequestBody
import okhttp3.Response
import okhttp3.tls.HeldCertificate
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedClass
import org.junit.jupiter.params.provider.EnumSource
import java.io.IOException
import java.net.InetAddress
import java.util.concurrent.TimeUnit

/** How a call is sent. */
enum class Way {
    /** By OkHttp, with its own certificate pinner: what the others are measured by. */
    PLAIN,

    /** By [PinfoldInterceptor]. */
    INTERCEPTOR,

    /** By OkHttp, with [pinfold]. */
    TRUST_MANAGER,
}

/** Where a way differs from plain OkHttp: a row of docs/adapters.md each. */
enum class Difference {
    ALERT_SAYS,
    CLEARTEXT,
    CONNECTION_HEADERS,
    HANDSHAKE,
    HOST_HEADER,
    IDENTITY,
    INTERIM,
    POST_ON_STALE,
    REASON_PHRASE,
    TRAILERS,
    UNPINNED,
    ;

    val row = name.lowercase().replace('_', '-')
}

/** A server and the ways to it. */
@ParameterizedClass
@EnumSource(Way::class)
abstract class Contract(
    protected val way: Way,
) {
    protected lateinit var server: MockWebServer
    private val clients = mutableListOf<OkHttpClient>()
    private val pinned = mutableListOf<PinnedClient>()

    protected val http: OkHttpClient by lazy { client() }

    @BeforeEach
    fun start() {
        server = server(Pki.good)
    }

    @AfterEach
    fun stop() {
        for (client in clients) {
            client.dispatcher.executorService.shutdownNow()
            client.connectionPool.evictAll()
        }
        pinned.forEach(PinnedClient::close)
        server.close()
    }

    /** Another server in the place of the one there is. */
    protected fun present(held: HeldCertificate) {
        server.close()
        server = server(held)
    }

    private fun server(held: HeldCertificate): MockWebServer {
        val server = MockWebServer()
        server.protocols = listOf(Protocol.HTTP_1_1)
        server.useHttps(Pki.server(held).sslSocketFactory())
        server.start(InetAddress.getByName("127.0.0.1"), 0)
        return server
    }

    protected fun client(configure: OkHttpClient.Builder.() -> Unit = {}): OkHttpClient {
        val builder =
            OkHttpClient
                .Builder()
                .dns { listOf(InetAddress.getByName("127.0.0.1")) }
                .protocols(listOf(Protocol.HTTP_1_1))
                .apply(configure)
        when (way) {
            Way.PLAIN -> {
                val pins = CertificatePinner.Builder()
                for (host in listOf(Pki.HOST, Pki.OTHER)) pins.add(host, Pki.pin(Pki.good))
                builder.sslSocketFactory(Pki.trust.sslSocketFactory(), Pki.trust.trustManager)
                builder.certificatePinner(pins.build())
            }

            Way.INTERCEPTOR -> {
                builder.addInterceptor(PinfoldInterceptor(pinnedClient()))
            }

            Way.TRUST_MANAGER -> {
                builder.pinfold(pinnedClient())
            }
        }
        return builder.build().also { clients += it }
    }

    private fun pinnedClient(): PinnedClient {
        val port = server.port
        val client =
            PinnedClient(Pki.pins()) {
                roots = Roots.Only(listOf(Pki.root.certificate.encoded))
                for (host in listOf(Pki.HOST, Pki.OTHER, Pki.UNPINNED)) {
                    connectTo(host, port, "127.0.0.1:$port")
                }
            }
        return client.also { pinned += it }
    }

    protected fun url(
        path: String = "/",
        host: String = Pki.HOST,
    ): HttpUrl = "https://$host:${server.port}$path".toHttpUrl()

    protected fun answer(
        code: Int = 200,
        configure: MockResponse.Builder.() -> Unit = {},
    ) {
        server.enqueue(
            MockResponse
                .Builder()
                .code(code)
                .apply(configure)
                .build(),
        )
    }

    protected fun redirect(
        code: Int,
        to: String,
    ) = answer(code) { setHeader("Location", to) }

    protected fun request(
        path: String = "/",
        configure: Request.Builder.() -> Unit = {},
    ): Request =
        Request
            .Builder()
            .url(url(path))
            .apply(configure)
            .build()

    protected fun send(
        path: String = "/",
        client: OkHttpClient = http,
        configure: Request.Builder.() -> Unit = {},
    ): Response = client.newCall(request(path, configure)).execute()

    /** The answer's body, of an answer that is nothing but a body. */
    protected fun text(
        path: String = "/",
        client: OkHttpClient = http,
        configure: Request.Builder.() -> Unit = {},
    ): String = send(path, client, configure).use { it.body.string() }

    protected fun post(
        body: RequestBody,
        path: String = "/",
        client: OkHttpClient = http,
    ): Response = send(path, client) { post(body) }

    /** The next request that the server has got. */
    protected fun received(): RecordedRequest =
        checkNotNull(server.takeRequest(SECONDS, TimeUnit.SECONDS)) { "no request came" }

    /** What [work] throws, whole class and all. */
    protected inline fun <reified T : IOException> fails(crossinline work: () -> Unit): T =
        assertThrows<T> { work() }

    protected companion object {
        const val SECONDS = 10L
    }
}
