package dev.pinfold

import dev.pinfold.internal.ClientSettings
import dev.pinfold.internal.PlatformTrust
import dev.pinfold.internal.SessionSettings
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * What a [PinnedClient] is told when it is made. What is out of range is refused by its constructor
 * with [PinfoldException.InvalidConfig].
 */
@PinfoldDsl
public class ClientConfig internal constructor() : OwnConfig() {
    /**
     * Whether hosts without an entry in the pin set are refused, so that a forgotten entry is an
     * error on the first request and not a host without pins.
     */
    public var denyUnpinned: Boolean = true

    /**
     * Whether requests in flight end at once, with [PinfoldException.PinMismatch], when a new pin
     * set withdraws the pin that their connection was accepted for. Else they end as they began,
     * and the next ones meet the new pin set. A request that was ended may have reached its server.
     */
    public var abortWithdrawn: Boolean = false

    /** The authorities behind [Trust.SYSTEM_AND_PIN]. */
    public var roots: Roots = Roots.System

    /** Who is asked for [Roots.System]. */
    internal var systemTrust: PlatformTrust = SystemTrust()

    /** For name lookup, TCP and TLS, trust included: from 1 ms to 24 hours. */
    public var connectTimeout: Duration = 10.seconds

    /**
     * For the next bytes of an answer, once the request is sent: up to 24 hours, 0 for none.
     * [RequestBuilder.readTimeout] overrides it.
     */
    public var readTimeout: Duration = 10.seconds

    /**
     * For a whole call, with redirects and the body: from 1 ms to 24 hours. Of all suspended calls
     * in a process 256 have a thread at a time; the others wait, and their time runs meanwhile.
     */
    public var timeout: Duration = 30.seconds

    /** For the wait for its turn, of each request: up to 24 hours, 0 for none. */
    public var queueTimeout: Duration = Duration.ZERO

    /** For the lookup of a name, within [connectTimeout]: up to 24 hours, 0 for none. */
    public var lookupTimeout: Duration = Duration.ZERO

    /**
     * For the TLS handshake with one address, the judgement of the certificate included, within
     * [connectTimeout]: up to 24 hours, 0 for none.
     */
    public var tlsTimeout: Duration = Duration.ZERO

    /**
     * For the first byte of an answer, once the request is sent, in the place of [readTimeout], which
     * holds for those that follow: up to 24 hours, 0 for none.
     */
    public var firstByteTimeout: Duration = Duration.ZERO

    /**
     * How often a request is sent again that failed for a moment, or that a server could not answer for
     * now (408, 429, 502, 503 and 504): up to 20.
     *
     * A request of which nothing was sent is whatever its method is; others only where their method is
     * idempotent, such as GET, PUT and DELETE, and their body can begin again. A server's `Retry-After` is
     * waited for. All of it happens within [timeout]: what cannot be had until then is not waited for. All
     * requests of a client and its sessions share a budget, so that they send little more when everything
     * fails.
     */
    public var retries: Int = 0

    /** Who is told what happens to each call. */
    public var listener: CallListener? = null

    /** Who finds the addresses of hosts, in the place of the system; [connectTo] counts before. */
    public var resolver: Resolver? = null

    /**
     * The largest body accepted, in bytes and counted after gzip; at most 1 GiB, because bodies
     * are held in memory.
     */
    public var maxResponseBytes: Long = 16L shl 20

    /** How many redirects are followed, at most 50. With 0 a redirect is a response like others. */
    public var maxRedirects: Int = 10

    /**
     * How many connections are kept for later requests, whatever their hosts: up to 1,000. They are
     * closed after a minute.
     */
    public var maxIdleConnections: Int = 64

    /**
     * How many requests may be under way: from 1 to 10,000. Others wait for their turn, within their
     * timeout.
     */
    public var maxRequests: Int = 256

    /** How many of them may be to one host: from 1 to 10,000. */
    public var maxRequestsPerHost: Int = 128

    /** The `User-Agent` header; `pinfold/VERSION` without one. */
    public var userAgent: String? = null

    /** Where proxies come from. */
    public var proxies: Proxies = Proxies.System()

    /**
     * What relative URLs begin with (RFC 3986 §5), as in `client.get("v1/me")`: an absolute URL whose path
     * ends with a slash, without a query. Without one every URL is absolute.
     */
    public var baseUrl: String? = null

    private val addresses = Addresses()

    /**
     * Connects elsewhere instead of looking a name up, as curl's `--connect-to` does: for staging
     * servers and tests. Trust, host name and pins are judged as ever.
     *
     * @param host The name in the URL.
     * @param port The port in the URL, 443 where it has none.
     * @param address `IP:PORT` to connect to.
     */
    public fun connectTo(
        host: String,
        port: Int,
        address: String,
    ) {
        addresses.add(host, port, address)
    }

    /** They are among the others. */
    internal override fun ownProxies() = null

    /** All but what is a session's own. */
    internal fun settings() =
        ClientSettings(
            denyUnpinned = denyUnpinned,
            abortWithdrawn = abortWithdrawn,
            roots = roots.toFfi(),
            connectTimeoutMs = millis("connect_timeout", connectTimeout),
            readTimeoutMs = millis("read_timeout", readTimeout),
            timeoutMs = millis("timeout", timeout),
            maxResponseBytes =
                maxResponseBytes
                    .also { checkBytes(it) }
                    .toULong(),
            maxRedirects = count("max_redirects", maxRedirects),
            maxIdleConnections = count("max_idle_connections", maxIdleConnections),
            maxRequests = count("max_requests", maxRequests),
            maxRequestsPerHost = count("max_requests_per_host", maxRequestsPerHost),
            userAgent = userAgent?.wellFormed(),
            baseUrl = baseUrl?.wellFormed(),
            own = SessionSettings(emptyList(), null, null, null),
            listener = listener?.let(::Listener),
            resolver = resolver?.let(::Names),
            queueTimeoutMs = millis("queue_timeout", queueTimeout),
            lookupTimeoutMs = millis("lookup_timeout", lookupTimeout),
            tlsTimeoutMs = millis("tls_timeout", tlsTimeout),
            firstByteTimeoutMs = millis("first_byte_timeout", firstByteTimeout),
            retries = count("retries", retries),
            connectTo = addresses.toFfi(),
            proxies = proxies.toFfi(),
        )

    internal fun trust() = systemTrust.takeIf { roots == Roots.System }

    /** The platform, where its authorities are among those that end a path. */
    internal fun platform() = (systemTrust as? SystemTrust)?.takeIf { roots !is Roots.Only }

    private fun millis(
        setting: String,
        timeout: Duration,
    ): ULong {
        checkSetting(setting, !timeout.isNegative(), "negative")
        return timeout.toMillis()
    }

    private fun count(
        setting: String,
        count: Int,
    ): UInt {
        checkSetting(setting, count >= 0, "negative")
        return count.toUInt()
    }

    private fun checkBytes(bytes: Long) =
        checkSetting("max_response_bytes", bytes in 0..MAX_BYTES, "not up to 1 GiB")

    private companion object {
        const val MAX_BYTES = 1L shl 30
    }
}

/** The authorities behind [Trust.SYSTEM_AND_PIN]. */
public sealed interface Roots {
    /**
     * Whatever the app's own trust manager trusts (`TrustManagerFactory`'s default). On Android its
     * Network Security Config holds: authorities that a user has added count only where it says so.
     * Elsewhere they are the JVM's. The platform's clock holds for them. Host name and pins are
     * judged by Pinfold besides.
     *
     * The trust manager is made with the first connection. It has 8 s for a certificate, or what is
     * left of the call's timeouts, on a thread of Pinfold's; then the call fails with
     * [PinfoldException.Timeout.Phase.TRUST].
     */
    public data object System : Roots

    /**
     * Mozilla's, as compiled into the library; blind to what was added to the device.
     *
     * They are 46 KB, and the Android artifact has none: there a client with them is refused with
     * [PinfoldException.InvalidConfig], unless the app builds the library with its feature `bundled-roots`.
     */
    public data object Bundled : Roots

    /**
     * These and no others.
     *
     * @property certificates In DER.
     */
    public class Only(
        public val certificates: List<ByteArray>,
    ) : Roots
}
