package dev.pinfold.bench

import dev.pinfold.Method
import dev.pinfold.PinSet
import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Call
import okhttp3.Callback
import okhttp3.CertificatePinner
import okhttp3.ConnectionPool
import okhttp3.Dispatcher
import okhttp3.Dns
import okhttp3.OkHttpClient
import okhttp3.Protocol
import okhttp3.Request
import okhttp3.Response
import java.io.File
import java.io.IOException
import java.net.InetAddress
import java.net.Socket
import java.security.KeyStore
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import java.util.concurrent.TimeUnit
import javax.net.SocketFactory
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException

private const val HOST = "api.example.test"

/** Like for like: as many as Pinfold keeps. OkHttp's own default is 5. */
private const val IDLE_CONNECTIONS = 64
private const val IN_FLIGHT = 128
private val folder = File(setting("DIR"))
private val address = setting("SERVER")
private val port = address.substringAfterLast(':').toInt()
private val root = certificate("root")

/** Pinfold and OkHttp, each as a blocking and as a suspend function. */
internal class Clients : AutoCloseable {
    private val pinned = pinned()
    private val okHttp = okHttp()

    fun caller(
        client: String,
        case: Case,
    ): Caller {
        val url = "https://$HOST:$port${case.path}"
        val isFresh = case == Case.FULL
        return when (client) {
            "pinfold blocking" -> {
                Caller.Blocking { withPinned(isFresh) { it.getBlocking(url) } }
            }

            "pinfold suspend" -> {
                Caller.Suspending { withPinned(isFresh) { it.get(url).body.size } }
            }

            "okhttp blocking" -> {
                Caller.Blocking { withOkHttp(isFresh) { it.getBlocking(url) } }
            }

            "okhttp suspend" -> {
                Caller.Suspending { withOkHttp(isFresh) { it.get(url) } }
            }

            else -> {
                error("no such client: $client")
            }
        }
    }

    override fun close() {
        pinned.close()
        okHttp.release()
    }

    private inline fun withPinned(
        isFresh: Boolean,
        send: (PinnedClient) -> Int,
    ) = if (isFresh) pinned().use(send) else send(pinned)

    private inline fun withOkHttp(
        isFresh: Boolean,
        send: (OkHttpClient) -> Int,
    ) = if (isFresh) {
        okHttp().let { client ->
            send(client).also { client.release() }
        }
    } else {
        send(okHttp)
    }
}

private fun pinned() =
    PinnedClient(PinSet.parse(folder.resolve("pins.json").readBytes())) {
        roots = Roots.Only(listOf(root.encoded))
        connectTo(HOST, port, address)
    }

private fun PinnedClient.getBlocking(url: String) =
    sendBlocking(dev.pinfold.Request(Method.GET, url) {}).body.size

private fun okHttp(): OkHttpClient {
    val store = KeyStore.getInstance(KeyStore.getDefaultType()).apply { load(null, null) }
    store.setCertificateEntry("root", root)
    val factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm())
    val trust = factory.apply { init(store) }.trustManagers.single() as X509TrustManager
    val tls = SSLContext.getInstance("TLS").apply { init(null, arrayOf(trust), null) }
    val pins = listOf("backend", "intermediate").map { CertificatePinner.pin(certificate(it)) }
    return OkHttpClient
        .Builder()
        .sslSocketFactory(tls.socketFactory, trust)
        .socketFactory(NoDelay)
        .certificatePinner(CertificatePinner.Builder().add(HOST, *pins.toTypedArray()).build())
        .protocols(listOf(Protocol.HTTP_1_1))
        .connectionPool(ConnectionPool(IDLE_CONNECTIONS, 5, TimeUnit.MINUTES))
        .dispatcher(
            Dispatcher().apply {
                maxRequests = IN_FLIGHT
                maxRequestsPerHost = IN_FLIGHT
            },
        ).dns(Dns { listOf(InetAddress.getByName(address.substringBeforeLast(':'))) })
        .build()
}

private fun OkHttpClient.getBlocking(url: String) =
    newCall(Request.Builder().url(url).build()).execute().use { it.body.bytes().size }

private suspend fun OkHttpClient.get(url: String): Int =
    suspendCancellableCoroutine { continuation ->
        val call = newCall(Request.Builder().url(url).build())
        continuation.invokeOnCancellation { call.cancel() }
        call.enqueue(
            object : Callback {
                override fun onFailure(
                    call: Call,
                    e: IOException,
                ) = continuation.resumeWithException(e)

                override fun onResponse(
                    call: Call,
                    response: Response,
                ) = response.use { continuation.resume(it.body.bytes().size) }
            },
        )
    }

private fun OkHttpClient.release() {
    dispatcher.executorService.shutdown()
    connectionPool.evictAll()
}

/** Without TCP_NODELAY OkHttp would wait for delayed acknowledgements, which is not what is measured. */
private object NoDelay : SocketFactory() {
    private fun Socket.prompt() = apply { tcpNoDelay = true }

    override fun createSocket() = Socket().prompt()

    override fun createSocket(
        host: String,
        port: Int,
    ) = Socket(host, port).prompt()

    override fun createSocket(
        host: String,
        port: Int,
        localHost: InetAddress,
        localPort: Int,
    ) = Socket(host, port, localHost, localPort).prompt()

    override fun createSocket(
        host: InetAddress,
        port: Int,
    ) = Socket(host, port).prompt()

    override fun createSocket(
        address: InetAddress,
        port: Int,
        localAddress: InetAddress,
        localPort: Int,
    ) = Socket(address, port, localAddress, localPort).prompt()
}

private fun certificate(name: String) =
    folder.resolve("$name.pem").inputStream().use {
        CertificateFactory.getInstance("X.509").generateCertificate(it) as X509Certificate
    }

private fun setting(name: String) =
    checkNotNull(System.getenv("PINFOLD_BENCH_$name")) {
        "run scripts/bench"
    }
