package dev.pinfold

import dev.pinfold.internal.Call
import dev.pinfold.internal.Client
import dev.pinfold.internal.DownloadTarget
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.suspendCancellableCoroutine
import java.io.File
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import kotlin.time.Clock
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Instant
import kotlin.time.TimeSource

/**
 * Sends requests over connections whose certificate the pin set allows.
 *
 * Meant to be shared: one client keeps connections alive for all its callers. Every method may be
 * called from any thread.
 *
 * ```
 * val client = PinnedClient(PinSet.parse(json)) { timeout = 10.seconds }
 * val response = client.get("https://api.example.com/v1/me")
 * println(response.text())
 * ```
 */
public class PinnedClient private constructor(
    private val timeout: Duration,
    private val platform: SystemTrust?,
    /** Whose session it is. */
    private val parent: PinnedClient? = null,
    make: () -> Client,
) : AutoCloseable {
    private val opening = Opening(::closed) { Native(translated(make)) }
    private var isClosed = false

    /** Called once, by [close]. */
    internal var onClose: (() -> Unit)? = null

    /**
     * Makes a client. On Android's main thread it does no work that takes time: the first call does,
     * on another thread, and throws what is wrong with a setting if that is not found before.
     *
     * @param pins Which certificates to accept; see [replacePins].
     * @throws PinfoldException.InvalidConfig for a setting that is out of range.
     * @throws PinfoldException.InvalidCertificate for one of [Roots.Only] that is none.
     */
    @JvmOverloads
    @Throws(PinfoldException::class)
    public constructor(
        pins: PinSet,
        configure: ClientConfig.() -> Unit = {},
    ) : this(ClientConfig().apply(configure), pins)

    /**
     * Makes a client whose pin sets come from an updater: every newer one is in force at once, and
     * a mismatch has one looked for before the request fails. On Android's main thread it does no
     * work that takes time, as the other constructor does none.
     *
     * @throws PinfoldException.InvalidConfig for a setting that is out of range.
     * @throws PinfoldException.InvalidCertificate for one of [Roots.Only] that is none.
     * @throws IllegalStateException where [updater] is closed.
     */
    @JvmOverloads
    @Throws(PinfoldException::class)
    public constructor(
        updater: PinSetUpdater,
        configure: ClientConfig.() -> Unit = {},
    ) : this(
        ClientConfig().apply { systemTrust = updater.systemTrust }.apply(configure),
        updater,
    )

    private constructor(
        config: ClientConfig,
        pins: PinSet,
    ) : this(config.timeout, config.platform(), make = making(config, pins))

    private constructor(
        config: ClientConfig,
        updater: PinSetUpdater,
    ) : this(config.timeout, config.platform(), make = making(config, updater))

    /**
     * Sends a request and waits for the whole response without blocking the caller's thread.
     * Cancelling the coroutine closes the connection at once.
     *
     * @throws PinfoldException every subclass but [PinfoldException.Cancelled].
     */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun send(request: Request): Response {
        if (request.onUpload != null) return sendWatched(request)
        val native = opening.await()
        // Two calls in the last place, so that neither costs a state of its own.
        return if (CallThreads.tryReserve()) {
            send(native, request, request.timeout)
        } else {
            sendLater(native, request)
        }
    }

    /** On the thread that was reserved, with what is left of the timeout. */
    private suspend fun send(
        native: Native,
        request: Request,
        timeout: Duration?,
    ): Response =
        suspendCancellableCoroutine { continuation ->
            val call = NativeCall(native.client, native.id)
            continuation.invokeOnCancellation { call.cancel() }
            call.enqueue(request, timeout, continuation)
        }

    /** Once there is a thread, within the timeout. */
    private suspend fun sendLater(
        native: Native,
        request: Request,
    ): Response {
        val left = reserve(request)
        return send(native, request, if (request.isOpenEnded) request.timeout else left)
    }

    /** Waits for a thread; what is left of the timeout then. */
    private suspend fun reserve(request: Request): Duration {
        val timeout = request.timeout ?: timeout
        val begun = TimeSource.Monotonic.markNow()
        if (!CallThreads.reserve(timeout)) {
            throw PinfoldException.Timeout(
                "no thread within $timeout: ${CallThreads.MAX} requests are on their way",
                request.url.host(),
                PinfoldException.Timeout.Phase.TOTAL,
            )
        }
        return (timeout - begun.elapsedNow()).coerceAtLeast(1.milliseconds)
    }

    private suspend fun sendWatched(request: Request): Response =
        calling { call ->
            watched(call.tellsSent(request)) {
                onThread(call, request) { call.execute(request, it ?: request.timeout) }
            }
        }

    /** [work] with a call, which is at its end after it. */
    private suspend fun <T> calling(work: suspend (NativeCall) -> T): T {
        val native = opening.await()
        val call = NativeCall(native.client, native.id)
        try {
            return work(call)
        } finally {
            // Whoever is at it in this moment is ended. After its end it does nothing.
            call.cancel()
            call.end()
        }
    }

    /** [work] on a thread of ours, with what is left of the request's own timeout. */
    private suspend fun <T> onThread(
        call: NativeCall,
        request: Request,
        work: (Duration?) -> T,
    ): T {
        val left = if (CallThreads.tryReserve()) request.timeout else reserve(request)
        return suspendCancellableCoroutine { continuation ->
            continuation.invokeOnCancellation { call.cancel() }
            call.enqueue(continuation, isOver = { false }) {
                work(
                    left.takeIf {
                        request.timeout !=
                            null
                    },
                )
            }
        }
    }

    /**
     * Sends a request and waits for the head of its response; [block] pulls the body, in bounded memory
     * however long it is, without blocking the caller's thread. The call ends with [block].
     *
     * [ClientConfig.timeout] holds until the head is there, [ClientConfig.readTimeout] for every piece;
     * [ClientConfig.maxResponseBytes] is for bodies in memory. What the request says itself holds for
     * all of it.
     *
     * ```
     * client.stream(Request(Method.GET, "https://api.example.com/v1/log")) { response ->
     *     response.body.flow().collect { println("${it.size} bytes") }
     * }
     * ```
     *
     * @throws PinfoldException every subclass but [PinfoldException.Cancelled].
     */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun <T> stream(
        request: Request,
        block: suspend (StreamingResponse) -> T,
    ): T =
        calling { call ->
            val response =
                watched(call.tellsSent(request)) {
                    onThread(call, request) { call.open(request, it ?: request.timeout) }
                }
            response.use { block(it) }
        }

    /**
     * Does as [stream] on the calling thread, which must not be a main thread. The response is to be
     * closed.
     *
     * @throws PinfoldException every subclass.
     * @throws IllegalStateException on Android's main thread.
     */
    @JvmOverloads
    @Throws(PinfoldException::class)
    public fun streamBlocking(
        request: Request,
        cancel: CancelToken? = null,
    ): StreamingResponse {
        checkNotMainThread("streamBlocking() waits for a server")
        val native = opening.open()
        val call = NativeCall(native.client, native.id)
        var isOpen = false
        try {
            cancel?.attach(call)
            val response = watchedBlocking(call.tellsSent(request)) { call.open(request) }
            response.body.onClose = { cancel?.detach(call) }
            isOpen = true
            return response
        } finally {
            if (!isOpen) {
                cancel?.detach(call)
                call.end()
            }
        }
    }

    /**
     * Downloads what [request], a GET, asks for to the file [to]. It appears under its name when it is
     * whole, and never before. If the connection breaks the download goes on from there, at once and also
     * when it is called for again later, where the server tells its versions apart for certain (a
     * strong `ETag`, or `Last-Modified`); else from the beginning. The response has status 200, or 206
     * where it was gone on with, and no body; for every other status there is no file, and its body is in
     * the response.
     *
     * [ClientConfig.timeout] and [ClientConfig.maxResponseBytes] do not hold, the request's own do.
     *
     * ```
     * val request = Request(Method.GET, "https://cdn.example.com/maps/berlin.bin")
     * client.download(request, File(folder, "berlin.bin")) { progress -> println(progress) }
     * ```
     *
     * @param sha256 The SHA-256 that the file must have, in hexadecimal digits, if any.
     * @param onProgress Told several times a second, and at the end, how much of the file is there.
     * @throws PinfoldException.IoFailed where the file cannot be written, or another call is at it.
     * @throws PinfoldException.DigestMismatch where the file has not [sha256]; nothing of it is kept.
     */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun download(
        request: Request,
        to: File,
        sha256: String? = null,
        onProgress: ((Progress) -> Unit)? = null,
    ): Response =
        calling { call ->
            watched(call.tellsReceived(onProgress)) {
                onThread(call, request) { call.download(request, target(to, sha256)) }
            }
        }

    /**
     * Does as [download] on the calling thread, which must not be a main thread.
     *
     * @throws IllegalStateException on Android's main thread.
     */
    @JvmOverloads
    @Throws(PinfoldException::class)
    public fun downloadBlocking(
        request: Request,
        to: File,
        sha256: String? = null,
        cancel: CancelToken? = null,
        onProgress: ((Progress) -> Unit)? = null,
    ): Response {
        checkNotMainThread("downloadBlocking() waits for a server")
        return calling(cancel) { call ->
            watchedBlocking(call.tellsReceived(onProgress)) {
                call.download(request, target(to, sha256))
            }
        }
    }

    private fun target(
        to: File,
        sha256: String?,
    ) = DownloadTarget(to.path.wellFormed(), sha256?.wellFormed())

    private fun <T> calling(
        cancel: CancelToken?,
        work: (NativeCall) -> T,
    ): T {
        val native = opening.open()
        val call = NativeCall(native.client, native.id)
        try {
            cancel?.attach(call)
            return work(call)
        } finally {
            cancel?.detach(call)
            call.end()
        }
    }

    /**
     * Sends a request on the calling thread, which must not be a main thread. Interrupting the
     * thread does nothing; [cancel] ends the call with [PinfoldException.Cancelled].
     *
     * @throws PinfoldException every subclass.
     * @throws IllegalStateException on Android's main thread.
     */
    @JvmOverloads
    @Throws(PinfoldException::class)
    public fun sendBlocking(
        request: Request,
        cancel: CancelToken? = null,
    ): Response {
        checkNotMainThread("sendBlocking() waits for a server")
        return calling(cancel) { call ->
            watchedBlocking(call.tellsSent(request)) { call.execute(request) }
        }
    }

    /** Sends a DELETE request; see [send]. */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun delete(
        url: String,
        configure: RequestBuilder.() -> Unit = {},
    ): Response = send(Request(Method.DELETE, url, configure))

    /** Sends a GET request; see [send]. */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun get(
        url: String,
        configure: RequestBuilder.() -> Unit = {},
    ): Response = send(Request(Method.GET, url, configure))

    /** Sends a HEAD request; see [send]. */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun head(
        url: String,
        configure: RequestBuilder.() -> Unit = {},
    ): Response = send(Request(Method.HEAD, url, configure))

    /** Sends a PATCH request; see [send]. */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun patch(
        url: String,
        configure: RequestBuilder.() -> Unit = {},
    ): Response = send(Request(Method.PATCH, url, configure))

    /** Sends a POST request; see [send]. */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun post(
        url: String,
        configure: RequestBuilder.() -> Unit = {},
    ): Response = send(Request(Method.POST, url, configure))

    /** Sends a PUT request; see [send]. */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun put(
        url: String,
        configure: RequestBuilder.() -> Unit = {},
    ): Response = send(Request(Method.PUT, url, configure))

    /**
     * A session of this client: another one for whoever uses it, with the same pins, settings and limits,
     * but with connections, TLS sessions, cookies, tokens and identities ([setIdentity]) of its own, of
     * which nobody else gets any, and proxies if it is given some. For an app with several accounts, and
     * for automation; a session costs about a kilobyte.
     *
     * Closing it ends its own calls and closes its connections; closing the client does that for all.
     * Pins that are replaced through one are replaced for all.
     *
     * ```
     * val alice = client.session { cookies = CookieJar() }
     * ```
     *
     * @throws PinfoldException.InvalidConfig for a setting that cannot be.
     * @throws PinfoldException.ClientClosed after [close].
     */
    @JvmOverloads
    @Throws(PinfoldException::class)
    public fun session(configure: SessionConfig.() -> Unit = {}): PinnedClient {
        val own = SessionConfig().apply(configure).own()
        return PinnedClient(timeout, platform, this) { open().session(own()) }
    }

    @Synchronized
    private fun open(): Client = if (isClosed) throw closed() else opening.open().client

    /**
     * Connects to the server of [url], where no idle connection to it is there: name, TCP, TLS and the
     * decision about its certificate are done when the first request comes. Nothing of a request is sent.
     * The connection is kept for a minute, as others are.
     *
     * @throws PinfoldException why there is none, as for a request.
     */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun preconnect(url: String) {
        val client = opening.await().client
        val call = Call()
        try {
            translated { client.preconnect(url.wellFormed(), call) }
        } catch (e: IllegalStateException) {
            if (e is CancellationException || !client.uniffiIsDestroyed) throw e
            throw closed()
        } finally {
            // Cancelling the coroutine does not reach it otherwise.
            call.cancel()
            call.destroy()
        }
    }

    /**
     * What this client would decide about a certificate, and why, without a connection: for tests
     * of a pin set, for support desks, and for other HTTP clients. A refusal is no exception here.
     * After a mismatch the client of an updater looks for a newer pin set, as it does for a request.
     *
     * @param host The name or IP address that presents the chain.
     * @param chain The certificates in DER, the end-entity first.
     * @param at When, between the years 1970 and 9999. The trust manager of [Roots.System] goes by
     *   its own clock whatever this says.
     * @throws PinfoldException.InvalidRequest names the parameter.
     * @throws PinfoldException.ClientClosed after [close].
     */
    @Throws(PinfoldException::class, CancellationException::class)
    public suspend fun explain(
        host: String,
        chain: List<ByteArray>,
        at: Instant = Clock.System.now(),
    ): Explanation {
        checkChainSize(chain)
        val seconds = at.toSeconds()
        val client = opening.await().client
        return open(client) { client.explain(host.wellFormed(), chain, seconds) }.toPublic()
    }

    /** [explain] on the calling thread: inside a handshake of another HTTP client. */
    internal fun explainBlocking(
        host: String,
        chain: List<ByteArray>,
    ): Explanation {
        checkChainSize(chain)
        val client = opening.open().client
        val now = Clock.System.now().toSeconds()
        return open(client) { client.explainBlocking(host.wellFormed(), chain, now) }.toPublic()
    }

    /** The names in a certificate (DER) for which an entry of the pin set holds. */
    internal fun pinnedNames(certificate: ByteArray): List<String> {
        val client = opening.open().client
        return open(client) { withDirectBuffer(certificate) { client.pinnedNames(it) } }
    }

    /** How often another pin set has been put into force. */
    internal fun pinsGeneration(): Long {
        val client = opening.open().client
        return open(client) { client.pinsGeneration() }.toLong()
    }

    /** The authorities that may end a path, as far as they are known. */
    internal fun acceptedIssuers(): List<X509Certificate> {
        val client = opening.open().client
        val own = open(client) { client.authorities() }
        val factory = CertificateFactory.getInstance("X.509")
        val known = own.map { factory.generateCertificate(it.inputStream()) as X509Certificate }
        return known + platform?.acceptedIssuers().orEmpty()
    }

    /** Runs [block] with what UniFFI throws as our own exceptions. */
    private inline fun <T> open(
        client: Client,
        block: () -> T,
    ): T =
        try {
            translated(block)
        } catch (e: IllegalStateException) {
            // UniFFI's for a client that is destroyed; cancellation is one as well.
            if (e is CancellationException || !client.uniffiIsDestroyed) throw e
            throw closed()
        }

    /**
     * Puts another pin set into force, at once and for good: idle connections are closed, and
     * requests that begin after this call see only the new one. Those in flight end under the
     * old one, but see [ClientConfig.abortWithdrawn]. What an updater finds next replaces it.
     *
     * @throws PinfoldException.ClientClosed after [close].
     */
    @Synchronized
    @Throws(PinfoldException::class)
    public fun replacePins(pins: PinSet) {
        if (isClosed) throw closed()
        val client = opening.open().client
        translated { client.replacePins(pins.native) }
    }

    /**
     * Who the app, or this session of it, is to [host] from now on, where that asks for a certificate;
     * null for nobody. A renewed certificate takes its place so, without a restart: idle connections under
     * the last one are closed, and TLS sessions are not shared by two identities. No other host is ever
     * shown it, not those below it either, nor a proxy.
     *
     * @throws PinfoldException.InvalidConfig for `identity`: a host that is none.
     * @throws PinfoldException.ClientClosed
     */
    @Synchronized
    @Throws(PinfoldException::class)
    public fun setIdentity(
        host: String,
        identity: ClientIdentity?,
    ) {
        if (isClosed) throw closed()
        val client = opening.open().client
        translated { client.setIdentity(host.wellFormed(), identity?.native) }
    }

    /**
     * Closes the idle connections, so that the next request makes one of its own: for a device
     * whose network has changed, which leaves them dead without a word. Requests in flight go on,
     * and their connections are closed after them. Does not block; after [close] it does nothing.
     */
    @Synchronized
    public fun closeIdleConnections() {
        if (!isClosed) opening.opened?.client?.closeIdleConnections()
    }

    /**
     * Ends every call and closes every connection; later calls fail with
     * [PinfoldException.ClientClosed]. Closing twice does nothing.
     */
    @Synchronized
    override fun close() {
        if (isClosed) return
        isClosed = true
        opening.close()?.client?.run {
            shutdown()
            destroy()
        }
        onClose?.invoke()
    }

    private fun closed() = PinfoldException.ClientClosed("the client is closed")

    private class Native(
        val client: Client,
    ) {
        val id = client.id().toLong()
    }

    private companion object {
        fun making(
            config: ClientConfig,
            pins: PinSet,
        ): () -> Client {
            val settings = config.settings()
            val trust = config.trust()
            val own = config.own()
            return { Client(pins.native, settings.copy(own = own()), trust) }
        }

        fun making(
            config: ClientConfig,
            updater: PinSetUpdater,
        ): () -> Client {
            val settings = config.settings()
            val trust = config.trust()
            val own = config.own()
            updater.expectClient()
            return { updater.attach { Client.updated(it, settings.copy(own = own()), trust) } }
        }
    }
}
