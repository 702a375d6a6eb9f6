package dev.pinfold.ktor

import dev.pinfold.PinfoldException
import dev.pinfold.PinfoldException.Timeout.Phase
import dev.pinfold.StreamingResponse
import io.ktor.client.engine.HttpClientEngineBase
import io.ktor.client.engine.HttpClientEngineCapability
import io.ktor.client.engine.callContext
import io.ktor.client.plugins.ConnectTimeoutException
import io.ktor.client.plugins.HttpTimeoutCapability
import io.ktor.client.plugins.SocketTimeoutException
import io.ktor.client.plugins.sse.SSECapability
import io.ktor.client.request.HttpRequestData
import io.ktor.client.request.HttpResponseData
import io.ktor.client.request.ResponseAdapterAttributeKey
import io.ktor.http.Headers
import io.ktor.http.HttpHeaders
import io.ktor.http.HttpProtocolVersion
import io.ktor.http.HttpStatusCode
import io.ktor.http.headers
import io.ktor.util.date.GMTDate
import io.ktor.utils.io.ByteChannel
import io.ktor.utils.io.ByteWriteChannel
import io.ktor.utils.io.InternalAPI
import io.ktor.utils.io.writeFully
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.launch
import java.io.IOException
import kotlin.coroutines.CoroutineContext

/** Sends each request in the context of its call: who cancels that ends the native call at once. */
@OptIn(InternalAPI::class)
internal class PinfoldEngine(
    override val config: PinfoldEngineConfig,
) : HttpClientEngineBase("pinfold") {
    private val client =
        requireNotNull(config.client) { "Pinfold's engine needs a client: engine { client = … }" }

    override val supportedCapabilities: Set<HttpClientEngineCapability<*>> =
        setOf(HttpTimeoutCapability, SSECapability)

    init {
        require(config.proxy == null) { "Pinfold's engine knows no proxy: the PinnedClient does" }
    }

    override suspend fun execute(data: HttpRequestData): HttpResponseData {
        val context = callContext()
        val begun = GMTDate()
        val request = data.toPinfold(context)
        val head = CompletableDeferred<StreamingResponse>()
        val body = ByteChannel()
        CoroutineScope(context).launch {
            try {
                client.stream(request) { response ->
                    head.complete(response)
                    response.copyTo(body)
                }
                body.flushAndClose()
            } catch (e: CancellationException) {
                head.cancel(e)
                body.cancel(e)
                throw e
            } catch (e: IOException) {
                // A failed child would cancel the call, and its reason would be lost.
                val told = e.asKtorFails(data)
                head.completeExceptionally(told)
                body.cancel(told)
            }
        }
        return answer(data, context, head.await(), body, begun)
    }

    private fun answer(
        data: HttpRequestData,
        context: CoroutineContext,
        response: StreamingResponse,
        body: ByteChannel,
        begun: GMTDate,
    ): HttpResponseData {
        val status = HttpStatusCode.fromValue(response.status)
        val headers = response.toKtor()
        val adapter = data.attributes.getOrNull(ResponseAdapterAttributeKey)
        val adapted = adapter?.adapt(data, status, headers, body, data.body, context)
        val version = HttpProtocolVersion.HTTP_1_1
        return HttpResponseData(status, begun, headers, version, adapted ?: body, context)
    }

    private suspend fun StreamingResponse.copyTo(channel: ByteWriteChannel) {
        val piece = ByteArray(PIECE)
        while (true) {
            val n = body.read(piece)
            if (n < 0) break
            channel.writeFully(piece, 0, n)
            // What has come may be an event that somebody waits for.
            channel.flush()
        }
    }

    private companion object {
        const val PIECE = 64 * 1024

        /** In lower case, as Pinfold's are. */
        val OF_THE_CODING = listOf("content-encoding", "content-length")

        /**
         * Without the length and the coding of what was decoded: Ktor compares the one and undoes the
         * other.
         */
        fun StreamingResponse.toKtor(): Headers {
            val isDecoded = body.length == null && header(HttpHeaders.ContentEncoding) != null
            return headers {
                for (header in this@toKtor.headers) {
                    val isStale = isDecoded && header.name in OF_THE_CODING
                    if (!isStale) append(header.name, header.value)
                }
            }
        }

        fun IOException.asKtorFails(data: HttpRequestData): IOException =
            when ((this as? PinfoldException.Timeout)?.phase) {
                Phase.CONNECT, Phase.LOOKUP, Phase.TLS -> ConnectTimeoutException(data, this)
                Phase.FIRST_BYTE, Phase.READ -> SocketTimeoutException(data, this)
                else -> this
            }
    }
}
