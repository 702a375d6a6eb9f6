package dev.pinfold.okhttp

import dev.pinfold.CancelToken
import dev.pinfold.PinnedClient
import okhttp3.Call
import okhttp3.EventListener
import okhttp3.Interceptor
import okhttp3.Response
import java.io.IOException

/**
 * Sends an `OkHttpClient`'s calls through a [PinnedClient]: its connections, its decision, its updates.
 *
 * ```
 * val http = OkHttpClient.Builder().addInterceptor(PinfoldInterceptor(client)).build()
 * ```
 *
 * Add it last: it ends the chain. Cookie jar, authenticator, redirects, `Retry-After: 0` and transparent
 * gzip work as they do without it, bodies stream both ways, and cancellation and the timeouts for reading
 * and for the call reach Pinfold's call, its body included. Of what an `OkHttpClient` is set to, this is
 * without effect: the cache, network interceptors, connection pool, protocols, DNS, proxies, and the
 * timeouts for connecting and writing. Those are the [PinnedClient]'s.
 *
 * Whatever fails is an [IOException]: the one that OkHttp throws for the same thing, as far as there is
 * one, whose cause is the `PinfoldException` ([pinfold]).
 *
 * @param client Who sends. It is not closed with the OkHttpClient.
 */
public class PinfoldInterceptor(
    private val client: PinnedClient,
) : Interceptor {
    /**
     * Answers the chain's request.
     *
     * @throws IOException as described for the class.
     */
    @Throws(IOException::class)
    override fun intercept(chain: Interceptor.Chain): Response =
        onlyIo {
            val cancel = cancellation(chain.call())
            FollowUps(chain, Hops(client, chain, cancel)).run()
        }

    /** Nobody tells an interceptor by itself that it should end. */
    private fun cancellation(call: Call): CancelToken {
        val token = CancelToken()
        call.addEventListener(
            object : EventListener() {
                override fun canceled(call: Call) = token.cancel()
            },
        )
        // In case that it was before.
        if (call.isCanceled()) token.cancel()
        return token
    }
}
