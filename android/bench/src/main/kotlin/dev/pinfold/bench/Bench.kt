package dev.pinfold.bench

import dev.pinfold.PinSet
import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Call
import okhttp3.Callback
import okhttp3.CertificatePinner
import okhttp3.ConnectionPool
import okhttp3.Dns
import okhttp3.OkHttpClient
import okhttp3.Protocol
import okhttp3.Request
import okhttp3.Response
import java.io.File
import java.io.IOException
import java.net.InetAddress
import java.security.KeyStore
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import java.util.concurrent.TimeUnit
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException

private const val HOST = "api.example.test"
private const val BODY = 1_024
private val folder = File(setting("DIR"))
private val address = setting("SERVER")
private val port = address.substringAfterLast(':').toInt()
private val scale = setting("SCALE").toDouble()
private val root = certificate("root")

/** One way of sending a request. */
private class Contender(
    val name: String,
    val send: suspend () -> Unit,
)

/**
 * Pinfold's Kotlin beside OkHttp, both as suspend functions. They take turns round by round; each
 * round gives a ratio to Pinfold. A line `CASE CLIENT MICROSECONDS RATIO` for each.
 */
fun main() =
    runBlocking {
        val pinned = pinned()
        val okHttp = okHttp()
        measure(
            "warm",
            rounds = 21,
            perRound = times(400),
            warmUp = times(8_000),
            Contender("Pinfold (Kotlin)") { check(pinned.get(url("/1k")).body.size == BODY) },
            Contender("OkHttp") { okHttp.get(url("/1k")) },
        )
        measure(
            "full",
            rounds = 11,
            perRound = times(40),
            warmUp = times(300),
            Contender("Pinfold (Kotlin)") {
                pinned().use { check(it.get(url("/1k")).body.size == BODY) }
            },
            Contender("OkHttp") { okHttp().run { get(url("/1k")).also { release() } } },
        )
        measure(
            "resumed",
            rounds = 11,
            perRound = times(60),
            warmUp = times(600),
            Contender("Pinfold (Kotlin)") { check(pinned.get(url("/close/1k")).body.size == BODY) },
            Contender("OkHttp") { okHttp.get(url("/close/1k")) },
        )
        pinned.close()
        okHttp.release()
    }

private suspend fun measure(
    case: String,
    rounds: Int,
    perRound: Int,
    warmUp: Int,
    vararg contenders: Contender,
) {
    // In turns as well, so that the JVM compiles each as it will run.
    repeat(4) { for (contender in contenders) repeat(warmUp / 4) { contender.send() } }
    val medians = contenders.map { mutableListOf<Double>() }
    repeat(rounds) { round ->
        for (turn in contenders.indices) {
            val i = (turn + round) % contenders.size
            val times =
                List(perRound) {
                    val begun = System.nanoTime()
                    contenders[i].send()
                    (System.nanoTime() - begun) / 1e3
                }
            medians[i] += median(times)
        }
    }
    for ((contender, times) in contenders.zip(medians)) {
        val ratios = times.zip(medians.first()) { time, own -> time / own }
        println("%s\t%s\t%.1f\t%.2f".format(case, contender.name, median(times), median(ratios)))
    }
}

private fun median(values: List<Double>) = values.sorted()[values.size / 2]

private fun times(n: Int) = maxOf(5, (n * scale).toInt())

private fun url(path: String) = "https://$HOST:$port$path"

private fun pinned() =
    PinnedClient(PinSet.parse(folder.resolve("pins.json").readBytes())) {
        roots = Roots.Only(listOf(root.encoded))
        connectTo(HOST, port, address)
    }

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
        .connectionPool(ConnectionPool(5, 5, TimeUnit.MINUTES))
        .dns(Dns { listOf(InetAddress.getByName(address.substringBeforeLast(':'))) })
        .build()
}

private suspend fun OkHttpClient.get(url: String) =
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
                ) = response.use {
                    check(it.body.bytes().size == BODY)
                    continuation.resume(Unit)
                }
            },
        )
    }

private fun OkHttpClient.release() {
    dispatcher.executorService.shutdown()
    connectionPool.evictAll()
}

/** Without TCP_NODELAY OkHttp would wait for delayed acknowledgements, which is not what is measured. */
private object NoDelay : javax.net.SocketFactory() {
    private fun java.net.Socket.prompt() = apply { tcpNoDelay = true }

    override fun createSocket() = java.net.Socket().prompt()

    override fun createSocket(
        host: String,
        port: Int,
    ) = java.net.Socket(host, port).prompt()

    override fun createSocket(
        host: String,
        port: Int,
        localHost: InetAddress,
        localPort: Int,
    ) = java.net.Socket(host, port, localHost, localPort).prompt()

    override fun createSocket(
        host: InetAddress,
        port: Int,
    ) = java.net.Socket(host, port).prompt()

    override fun createSocket(
        address: InetAddress,
        port: Int,
        localAddress: InetAddress,
        localPort: Int,
    ) = java.net.Socket(address, port, localAddress, localPort).prompt()
}

private fun certificate(name: String) =
    folder.resolve("$name.pem").inputStream().use {
        CertificateFactory.getInstance("X.509").generateCertificate(it) as X509Certificate
    }

private fun setting(name: String) =
    checkNotNull(System.getenv("PINFOLD_BENCH_$name")) { "run scripts/bench" }
