package dev.pinfold.okhttp

import okhttp3.HttpUrl
import okhttp3.Interceptor
import okhttp3.Request
import okhttp3.Response
import java.io.IOException
import java.net.HttpURLConnection
import java.net.ProtocolException

/**
 * Redirects, authentication, and requests that a server wants once more: OkHttp does all this behind its
 * last application interceptor, so it is done here by the same rules.
 */
internal class FollowUps(
    private val chain: Interceptor.Chain,
    private val hops: Hops,
) {
    fun run(): Response {
        val call = chain.call()
        val events = chain.eventListener
        var request = chain.request()
        var prior: Response? = null
        var count = 0
        while (true) {
            if (call.isCanceled()) throw IOException("Canceled")
            val response =
                hops
                    .send(request)
                    .newBuilder()
                    .priorResponse(prior)
                    .build()
            var isAnswer = false
            try {
                val next = next(response)?.takeUnless { it.body?.isOneShot() == true }
                events.followUpDecision(call, response, next)
                if (next == null) {
                    isAnswer = true
                    return response
                }
                if (++count > MAX) throw ProtocolException("Too many follow-up requests: $count")
                request = next
                prior = response.withoutBody()
            } finally {
                if (!isAnswer) response.close()
            }
        }
    }

    private fun next(response: Response): Request? =
        when (response.code) {
            HttpURLConnection.HTTP_PROXY_AUTH -> {
                throw ProtocolException(
                    "Received HTTP_PROXY_AUTH (407) code while not using proxy",
                )
            }

            HttpURLConnection.HTTP_UNAUTHORIZED -> {
                chain.authenticator.authenticate(null, response)
            }

            in REDIRECTS -> {
                redirected(response)
            }

            HttpURLConnection.HTTP_CLIENT_TIMEOUT -> {
                response.request.takeIf {
                    chain.retryOnConnectionFailure && response.isFirst() && response.wait(0) == 0
                }
            }

            HttpURLConnection.HTTP_UNAVAILABLE -> {
                response.request.takeIf { response.isFirst() && response.wait(NEVER) == 0 }
            }

            else -> {
                null
            }
        }

    private fun redirected(response: Response): Request? {
        val old = response.request
        val url = response.header("Location")?.let(old.url::resolve)
        if (!chain.followRedirects || url == null) return null
        if (url.scheme != old.url.scheme && !chain.followSslRedirects) return null
        val next = old.newBuilder().url(url)
        val keepsMethod =
            response.code == TEMPORARY || response.code == PERMANENT || old.method == "PROPFIND"
        if (old.method != "GET" && old.method != "HEAD" && !keepsMethod) {
            next.method("GET", null)
            for (name in OF_THE_BODY) next.removeHeader(name)
        }
        if (!old.url.isOf(url)) next.removeHeader("Authorization")
        return next.build()
    }

    private fun HttpUrl.isOf(other: HttpUrl) =
        host == other.host && port == other.port && scheme == other.scheme

    /** Whether it is not already the answer to the same request, sent again. */
    private fun Response.isFirst() = priorResponse?.code != code

    /** How many seconds the server wants to be left alone. */
    private fun Response.wait(default: Int): Int =
        header("Retry-After")?.let { it.toIntOrNull() ?: NEVER } ?: default

    private companion object {
        const val MAX = 20
        const val NEVER = Int.MAX_VALUE
        const val TEMPORARY = 307
        const val PERMANENT = 308
        val REDIRECTS = listOf(300, 301, 302, 303, TEMPORARY, PERMANENT)
        val OF_THE_BODY = listOf("Transfer-Encoding", "Content-Length", "Content-Type")
    }
}
