package dev.pinfold.ktor

import dev.pinfold.Method
import dev.pinfold.Request
import dev.pinfold.RequestBuilder
import io.ktor.client.call.UnsupportedContentTypeException
import io.ktor.client.plugins.HttpTimeoutCapability
import io.ktor.client.plugins.HttpTimeoutConfig
import io.ktor.client.request.HttpRequestData
import io.ktor.client.request.forEachHeader
import io.ktor.http.HttpMethod
import io.ktor.http.content.OutgoingContent
import io.ktor.utils.io.ByteReadChannel
import io.ktor.utils.io.InternalAPI
import io.ktor.utils.io.jvm.javaio.copyTo
import io.ktor.utils.io.writer
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.runBlocking
import java.io.OutputStream
import kotlin.coroutines.CoroutineContext
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.milliseconds

/** The request as Pinfold sends it, by one hop: redirects are Ktor's. */
@OptIn(InternalAPI::class)
internal fun HttpRequestData.toPinfold(context: CoroutineContext): Request {
    val timeouts = getCapabilityOrNull(HttpTimeoutCapability)
    return Request(Method(method.value), url.toString().substringBefore('#')) {
        forEachHeader { name, value ->
            if (name.lowercase() !in FRAMING) addHeader(name, value)
        }
        addBody(this@toPinfold.body, method, context)
        maxRedirects = 0
        if (timeouts != null) {
            // Ktor times the call itself.
            timeout = NO_END
            timeouts.socketTimeoutMillis?.let { readTimeout = it.toTimeout() }
        }
    }
}

private fun RequestBuilder.addBody(
    content: OutgoingContent,
    method: HttpMethod,
    context: CoroutineContext,
) {
    when (content) {
        is OutgoingContent.ByteArrayContent -> {
            val bytes = content.bytes()
            if (bytes.isNotEmpty() || method.takesBody()) body(bytes)
        }

        is OutgoingContent.ContentWrapper -> {
            addBody(content.delegate(), method, context)
        }

        is OutgoingContent.NoContent -> {
            // Servers want a length where a body is usual (RFC 9110 §8.6).
            if (method in WITH_BODY) body(ByteArray(0))
        }

        is OutgoingContent.ProtocolUpgrade -> {
            throw UnsupportedContentTypeException(content)
        }

        is OutgoingContent.ReadChannelContent -> {
            writtenBody(content.contentLength) { content.readFrom().copyTo(it, context) }
        }

        is OutgoingContent.WriteChannelContent -> {
            writtenBody(content.contentLength) { to ->
                val written = CoroutineScope(context).writer { content.writeTo(channel) }
                written.channel.copyTo(to, context)
            }
        }
    }
}

private fun HttpMethod.takesBody() = this != HttpMethod.Get && this != HttpMethod.Head

/** On a thread of Pinfold's, which is blocked as long as the app's code writes. */
private fun ByteReadChannel.copyTo(
    to: OutputStream,
    context: CoroutineContext,
) {
    runBlocking(context) {
        copyTo(to)
        // Copying ends without a word where the writer has failed: half a body would pass for all of it.
        closedCause?.let { throw it }
    }
}

private fun Long.toTimeout(): Duration =
    if (this == HttpTimeoutConfig.INFINITE_TIMEOUT_MS) Duration.ZERO else milliseconds

private val WITH_BODY = listOf(HttpMethod.Post, HttpMethod.Put, HttpMethod.Patch)

/** As long as Pinfold times anything. */
private val NO_END = 24.hours

/** What frames the message or belongs to one connection is Pinfold's to set. */
private val FRAMING =
    listOf(
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
    )
