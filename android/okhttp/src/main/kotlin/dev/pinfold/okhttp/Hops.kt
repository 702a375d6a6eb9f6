package dev.pinfold.okhttp

import dev.pinfold.CancelToken
import dev.pinfold.Header
import dev.pinfold.Method
import dev.pinfold.PinnedClient
import dev.pinfold.Pinning
import dev.pinfold.StreamingResponse
import okhttp3.Cookie
import okhttp3.Headers
import okhttp3.Interceptor
import okhttp3.OkHttp
import okhttp3.Protocol
import okhttp3.Request
import okhttp3.Response
import okio.GzipSource
import okio.buffer
import java.io.IOException
import java.net.ProtocolException
import java.net.UnknownServiceException
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.nanoseconds
import kotlin.time.TimeSource
import dev.pinfold.Request as PinfoldRequest

/** One request and its answer, as OkHttp makes them out of what its user has asked for. */
internal class Hops(
    private val client: PinnedClient,
    private val chain: Interceptor.Chain,
    private val cancel: CancelToken,
) {
    private val call = chain.call()
    private val events = chain.eventListener
    private val readTimeout = chain.readTimeoutMillis().milliseconds

    /** OkHttp times the call, but not what is read of its body: Pinfold does. */
    private val end =
        call.timeout().timeoutNanos().takeIf { it > 0 }?.let {
            TimeSource.Monotonic.markNow() + it.nanoseconds
        }

    /** The answer to [asked], which it names as its request. */
    fun send(asked: Request): Response {
        if (!asked.url.isHttps) {
            throw UnknownServiceException(
                "CLEARTEXT communication to ${asked.url.host} not permitted by Pinfold",
            )
        }
        val sent = completed(asked)
        val body = asked.body?.let(::Upload)
        events.requestHeadersStart(call)
        events.requestHeadersEnd(call, sent)
        if (body != null) events.requestBodyStart(call)
        val sentAt = System.currentTimeMillis()
        val received =
            try {
                client.streamBlocking(native(sent, body), cancel)
            } catch (e: IOException) {
                if (body == null) events.responseFailed(call, e) else events.requestFailed(call, e)
                throw e
            }
        if (body != null) events.requestBodyEnd(call, body.sent)
        events.responseHeadersStart(call)
        return try {
            answer(asked, sent, received, sentAt).also { events.responseHeadersEnd(call, it) }
        } catch (
            // The connection is nobody's then.
            @Suppress("TooGenericExceptionCaught") e: Exception,
        ) {
            received.close()
            throw e
        }
    }

    /** With the headers that OkHttp adds. Pinfold sets those that frame the message. */
    private fun completed(asked: Request): Request {
        val request = asked.newBuilder()
        asked.body?.contentType()?.let { request.header("Content-Type", it.toString()) }
        if (asked.isTransparent()) request.header("Accept-Encoding", "gzip")
        val cookies = chain.cookieJar.loadForRequest(asked.url)
        if (cookies.isNotEmpty()) request.header("Cookie", cookies.joinToString("; ") { it.pair() })
        if (asked.header("User-Agent") == null) {
            request.header("User-Agent", "okhttp/${OkHttp.VERSION}")
        }
        return request.build()
    }

    private fun native(
        request: Request,
        upload: Upload?,
    ): PinfoldRequest {
        val headers = request.headers.filterNot { (name, _) -> name.lowercase() in FRAMING }
        for ((name, value) in headers) check(request, name, value)
        return PinfoldRequest(Method(request.method), request.url.toString().substringBefore('#')) {
            for ((name, value) in headers) {
                if (!name.equals("Host", ignoreCase = true)) addHeader(name, value)
            }
            upload?.addTo(this)
            timeout = left()
            readTimeout = this@Hops.readTimeout
            maxRedirects = 0
        }
    }

    private fun check(
        request: Request,
        name: String,
        value: String,
    ) {
        val isHost = name.equals("Host", ignoreCase = true)
        val isOfAnother = isHost && value != request.url.hostHeader()
        if (isOfAnother || name.lowercase() in IMPOSSIBLE) {
            throw ProtocolException("Pinfold sends no $name of the app's own")
        }
    }

    /** What is left of the call's time. Without a call timeout, nothing but reading is timed. */
    private fun left(): Duration =
        end?.let { (-it.elapsedNow()).coerceAtLeast(1.milliseconds) } ?: NO_END

    private fun answer(
        asked: Request,
        sent: Request,
        received: StreamingResponse,
        sentAt: Long,
    ): Response {
        val headers = received.headers.toOkHttp()
        val cookies = Cookie.parseAll(asked.url, headers)
        if (cookies.isNotEmpty()) chain.cookieJar.saveFromResponse(asked.url, cookies)
        val network =
            Response
                .Builder()
                .request(sent.newBuilder().tag(Pinning::class, received.pinning).build())
                .protocol(Protocol.HTTP_1_1)
                .code(received.status)
                // Nobody may rely on it (RFC 9110 §15), and it does not come this far.
                .message("")
                .headers(headers)
                .sentRequestAtMillis(sentAt)
                .receivedResponseAtMillis(System.currentTimeMillis())
                .build()
        val response =
            network
                .newBuilder()
                .request(asked.newBuilder().tag(Pinning::class, received.pinning).build())
                .networkResponse(network)
        val hasBody = network.hasBody()
        val source = Download(received, call, events, end).buffer()
        if (!hasBody) source.skipAll()
        val length = if (hasBody) received.body.length ?: -1 else 0
        checkNothing(network)
        if (!hasBody || !asked.isTransparent() || !network.isGzip()) {
            return response.body(Body(headers, length, source)).build()
        }
        val decoded = headers.newBuilder().removeAll("Content-Encoding").removeAll("Content-Length")
        val plain = GzipSource(source).buffer()
        return response.headers(decoded.build()).body(Body(headers, -1, plain)).build()
    }

    /** Where there must not be a body, none may be announced either. */
    private fun checkNothing(response: Response) {
        val length = response.header("Content-Length")?.toLongOrNull() ?: 0
        val isEmpty = response.code == NO_CONTENT || response.code == RESET_CONTENT
        if (isEmpty && length > 0 && response.request.method != "HEAD") {
            throw ProtocolException(
                "HTTP ${response.code} had non-zero Content-Length: $length",
            )
        }
    }

    private companion object {
        /** As long as Pinfold times anything. */
        val NO_END = 24.hours
        const val NO_CONTENT = 204
        const val RESET_CONTENT = 205

        /** What frames the message or belongs to one connection is Pinfold's to set. */
        val FRAMING =
            listOf(
                "connection",
                "content-length",
                "expect",
                "keep-alive",
                "proxy-connection",
                "te",
                "trailer",
                "transfer-encoding",
            )

        /** Without these it would be another request. */
        val IMPOSSIBLE = listOf("proxy-authorization", "upgrade")

        fun Cookie.pair() = "$name=$value"

        fun Request.isTransparent() = header("Accept-Encoding") == null && header("Range") == null

        fun Response.isGzip() = "gzip".equals(header("Content-Encoding"), ignoreCase = true)

        fun List<Header>.toOkHttp(): Headers {
            val headers = Headers.Builder()
            for (header in this) headers.addUnsafeNonAscii(header.name, header.value)
            return headers.build()
        }
    }
}
