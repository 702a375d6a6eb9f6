@file:JvmName("Pinfold")

package dev.pinfold.okhttp

import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.PinnedTls
import dev.pinfold.Pinning
import okhttp3.OkHttpClient
import okhttp3.Response

/**
 * Keeps OkHttp's transport, and has [client] decide about every certificate: its HTTP/2, WebSockets and
 * cache stay as they are.
 *
 * ```
 * val http = OkHttpClient.Builder().pinfold(client).build()
 * ```
 *
 * A certificate that the client would refuse ends the handshake, before a byte of a request has left. A
 * changed pin set holds for the next request: it uses no connection and no TLS session that was made
 * under the one before. Where the client has an updater, a mismatch has a newer pin set looked for
 * within the handshake. Redirects from HTTPS to HTTP are not followed.
 *
 * Call it last: what is set afterwards for TLS on this builder has no effect.
 *
 * @param client Who decides. It is not closed with the OkHttpClient, and must not be before.
 * @throws PinfoldException.ClientClosed where it is closed.
 */
@Throws(PinfoldException::class)
public fun OkHttpClient.Builder.pinfold(client: PinnedClient): OkHttpClient.Builder {
    val tls = PinnedTls(client)
    return sslSocketFactory(tls.socketFactory, tls.trustManager)
        .followSslRedirects(false)
        .addInterceptor(CurrentSockets(tls))
        .addNetworkInterceptor(CurrentDecision(tls))
}

/**
 * What Pinfold says of a failed call, where it is behind it: OkHttp's users catch Java's exceptions, and
 * this is their cause.
 */
public val Throwable.pinfold: PinfoldException?
    get() {
        val causes = generateSequence(this) { it.cause }.take(MAX_CAUSES)
        return causes.firstNotNullOfOrNull { it as? PinfoldException }
    }

/** What was decided about the connection of an answer that came by way of [PinfoldInterceptor]. */
public val Response.pinning: Pinning? get() = request.tag(Pinning::class)

/** Some are their own causes. */
private const val MAX_CAUSES = 16
