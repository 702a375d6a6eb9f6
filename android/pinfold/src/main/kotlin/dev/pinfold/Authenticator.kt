package dev.pinfold

import dev.pinfold.internal.HookFailure
import dev.pinfold.internal.NameResolver
import dev.pinfold.internal.TokenSource
import kotlinx.coroutines.runBlocking
import java.net.InetAddress
import dev.pinfold.internal.RefusedToken as FfiRefusedToken

/**
 * Gives the value of the `Authorization` header, such as `Bearer …`, to requests to the server of
 * [ClientConfig.baseUrl] that have none themselves.
 *
 * ```
 * val client = PinnedClient(pins) {
 *     baseUrl = "https://api.example.com/"
 *     authenticator = Authenticator { refused -> "Bearer ${tokens.fresh(after = refused)}" }
 * }
 * ```
 */
public fun interface Authenticator {
    /**
     * The value to send, or null to send nothing. Asked before the first request, and again after a 401:
     * then [refused] is what the server did not take, and null says that the 401 is the answer. However
     * many calls meet a 401 at the same time, it is asked once, and each call is sent once more.
     *
     * It may suspend and block. Requests of its own go by another client or session, or have an
     * `Authorization` header: this client's would wait for it. Calls that wait for it end with their own
     * timeout or cancellation, and it goes on.
     *
     * Whatever it throws, the calls that wait for it fail with [PinfoldException.IoFailed], and the next
     * one asks again.
     */
    public suspend fun authorize(refused: RefusedToken?): String?
}

/**
 * What a server did not take.
 *
 * @property authorization The value of `Authorization`.
 * @property challenges The values of `WWW-Authenticate`, which say what it wants (RFC 9110 §11.6.1).
 */
public class RefusedToken internal constructor(
    public val authorization: String,
    public val challenges: List<String>,
) {
    /** Without the values: those may be secret. */
    override fun toString(): String = "RefusedToken(${challenges.size} challenges)"
}

/** Finds the addresses of hosts in the place of the system: DNS over HTTPS, or an app's own list. */
public fun interface Resolver {
    /**
     * The addresses of [host], in the order in which they are to be tried. Called on a thread of
     * Pinfold's, once for all calls that ask for a name at the same time; it may block. Whatever it throws
     * is [PinfoldException.DnsFailed].
     */
    public fun resolve(host: String): List<InetAddress>
}

internal class Tokens(
    private val authenticator: Authenticator,
) : TokenSource {
    override fun authorize(refused: FfiRefusedToken?): String? =
        answered {
            val told = refused?.let { RefusedToken(it.authorization, it.challenges) }
            runBlocking { authenticator.authorize(told) }?.wellFormed()
        }
}

internal class Names(
    private val resolver: Resolver,
) : NameResolver {
    override fun resolve(host: String): List<String> =
        answered {
            // A zone is for this device alone.
            resolver.resolve(host).map { it.hostAddress.substringBefore('%') }
        }
}

/** What an app's code gives, or its failure as it can cross; the message may hold anything. */
private fun <T> answered(ask: () -> T): T =
    try {
        ask()
    } catch (e: Throwable) {
        // Errors too: UniFFI catches exceptions only.
        throw HookFailure.Failed("it threw ${e.javaClass.simpleName}")
    }
