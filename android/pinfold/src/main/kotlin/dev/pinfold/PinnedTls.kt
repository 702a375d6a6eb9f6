package dev.pinfold

import java.security.KeyManagementException
import java.security.cert.CertificateEncodingException
import java.security.cert.CertificateException
import java.security.cert.X509Certificate
import java.util.concurrent.ConcurrentHashMap
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLSocketFactory
import javax.net.ssl.X509TrustManager

/**
 * The decisions of a client for the sockets of another HTTP client: for `HttpURLConnection`, and for
 * whatever else takes an `SSLSocketFactory`. OkHttp has an adapter of its own, `pinfold-okhttp`.
 *
 * ```
 * val tls = PinnedTls(client)
 * val connection = URL("https://api.example.com/v1/me").openConnection() as HttpsURLConnection
 * connection.sslSocketFactory = tls.socketFactory
 * ```
 *
 * A certificate that the client would refuse ends the handshake, before a byte of a request has left.
 * The cause of the `SSLHandshakeException` is a `CertificateException`, whose cause is the
 * [PinfoldException]. Where the client has an updater, a mismatch has a newer pin set looked for
 * within the handshake.
 *
 * @param client Who decides. It is not closed with this.
 */
public class PinnedTls internal constructor(
    private val client: PinnedClient,
    private val now: () -> Long,
) {
    /** The decisions of [client]. */
    public constructor(client: PinnedClient) : this(client, System::currentTimeMillis)

    /**
     * Judges as the client does, the host name included: the name that the socket was made for. A socket
     * without one is refused. It has no say about clients' certificates.
     */
    public val trustManager: X509TrustManager = PinnedTrustManager(this)

    @Volatile
    private var epoch: Epoch? = null

    /**
     * Makes sockets that [trustManager] judges. There is another one whenever an accepted certificate
     * may be judged otherwise: after each change of the pin set, and once a certificate or an entry
     * has expired. Nobody asks about resumed TLS sessions and connections that are open: so ask for it
     * before each request, and use no connection of an older one.
     *
     * @throws PinfoldException.ClientClosed after [PinnedClient.close].
     */
    public val socketFactory: SSLSocketFactory
        @Throws(PinfoldException::class)
        get() = current().sockets

    /**
     * Judges a connection that is already there, for the name of the request that is to be sent on it:
     * over HTTP/2 one connection may serve several names. What was judged since the last change is
     * not judged again.
     *
     * @param chain What the server has presented, the end-entity first.
     * @throws PinfoldException where the client would refuse it.
     */
    @Throws(PinfoldException::class)
    public fun check(
        host: String,
        chain: List<X509Certificate>,
    ) {
        if (current().knows(host, chain)) return
        checkNotMainThread("a certificate may take the platform's time to judge")
        judge(host, chain)
    }

    /** The authorities that may end a path; they decide nothing. */
    internal val acceptedIssuers: List<X509Certificate>
        get() = client.acceptedIssuers()

    /**
     * Judges a chain for [host], and for the other names of its certificate that the pin set has an
     * entry for: an HTTP/2 connection is used for them too, without a question (RFC 9113 §9.1.1).
     */
    private fun judge(
        host: String,
        chain: List<X509Certificate>,
    ) {
        val encoded = chain.map(::encoded)
        while (true) {
            val before = client.pinsGeneration()
            val told = allowed(host, encoded)
            val others = encoded.firstOrNull()?.let(client::pinnedNames).orEmpty()
            val all = listOf(told) + others.filter { it != told.host }.map { allowed(it, encoded) }
            // A newer pin set that was found for one of the names holds for all of them.
            if (client.pinsGeneration() != before) continue
            val until = all.minOf { it.until(chain.first()) }
            current().takeIf { it.generation == before }?.add(host, chain, until)
            return
        }
    }

    private fun allowed(
        host: String,
        chain: List<ByteArray>,
    ): Explanation {
        val told = client.explainBlocking(host, chain)
        if (told.isAllowed) return told
        throw told.error ?: PinfoldException.Internal("refused without a reason")
    }

    private fun encoded(certificate: X509Certificate): ByteArray =
        try {
            certificate.encoded
        } catch (e: CertificateEncodingException) {
            throw PinfoldException.InvalidRequest("request, chain: ${e.message}", "chain")
        }

    private fun current(): Epoch {
        val generation = client.pinsGeneration()
        epoch?.takeIf { it.holds(generation, now()) }?.let { return it }
        return renew(generation)
    }

    @Synchronized
    private fun renew(generation: Long): Epoch {
        // Another thread may have been here, or be one change ahead.
        epoch?.takeIf { it.holds(maxOf(generation, it.generation), now()) }?.let { return it }
        return Epoch(generation, sockets()).also { epoch = it }
    }

    /** With a context of its own, for TLS sessions belong to that. */
    private fun sockets(): SSLSocketFactory =
        try {
            val context = SSLContext.getInstance("TLS")
            context.init(null, arrayOf(trustManager), null)
            context.socketFactory
        } catch (e: KeyManagementException) {
            throw PinfoldException.Internal("the platform's TLS: ${e.message}")
        }

    /** As long as what was accepted stays accepted. */
    private class Epoch(
        val generation: Long,
        val sockets: SSLSocketFactory,
    ) {
        private val accepted = ConcurrentHashMap<Accepted, Unit>()

        @Volatile
        private var until = Long.MAX_VALUE

        fun holds(
            generation: Long,
            now: Long,
        ) = this.generation == generation && now < until

        fun knows(
            host: String,
            chain: List<X509Certificate>,
        ) = accepted.containsKey(Accepted(host, chain))

        @Synchronized
        fun add(
            host: String,
            chain: List<X509Certificate>,
            until: Long,
        ) {
            if (accepted.size >= MAX_ACCEPTED) accepted.clear()
            accepted[Accepted(host, chain)] = Unit
            this.until = minOf(this.until, until)
        }
    }

    private data class Accepted(
        val host: String,
        val chain: List<X509Certificate>,
    )

    private companion object {
        const val MAX_ACCEPTED = 256

        /** When the answer may become another one, in milliseconds since 1970. */
        fun Explanation.until(certificate: X509Certificate): Long {
            // A lapse is over only where the clock is put back.
            val expires = policy?.expires?.toEpochMilliseconds() ?: Long.MAX_VALUE
            val end = certificate.notAfter.time
            return if (verdict == Explanation.Verdict.LAPSED) end else minOf(expires, end)
        }
    }
}

/** What is thrown within a handshake: JSSE and Conscrypt know no other exceptions. */
internal fun PinfoldException.inHandshake() = CertificateException(message, this)
