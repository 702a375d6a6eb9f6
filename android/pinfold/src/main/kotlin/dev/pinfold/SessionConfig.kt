package dev.pinfold

import dev.pinfold.internal.SessionSettings
import dev.pinfold.internal.Proxies as FfiProxies

/** What a session is told when it is made; see [PinnedClient.session]. */
@PinfoldDsl
public class SessionConfig internal constructor() : OwnConfig() {
    /** Where its proxies come from; those of its client without. */
    public var proxies: Proxies? = null

    internal override fun ownProxies() = proxies?.toFfi()
}

/** What belongs to one session alone. A client is one, too. */
@PinfoldDsl
public sealed class OwnConfig {
    /** Where cookies are kept. Without one none are, and those that come are headers like others. */
    public var cookies: CookieJar? = null

    /** Who gives the tokens of requests to the server of [ClientConfig.baseUrl]. */
    public var authenticator: Authenticator? = null

    private val defaultHeaders = mutableListOf<Header>()

    /**
     * Adds a header to every request that has none of this name itself; in a session in the place of its
     * client's.
     */
    public fun defaultHeader(
        name: String,
        value: String,
    ) {
        defaultHeaders += Header(name, value)
    }

    /**
     * Adds a header with a secret to every request to the server of [ClientConfig.baseUrl]; nobody else
     * gets it. `Authorization` and `Cookie` are secrets by themselves.
     */
    public fun sensitiveDefaultHeader(
        name: String,
        value: String,
    ) {
        defaultHeaders += Header(name, value, isSensitive = true)
    }

    internal abstract fun ownProxies(): FfiProxies?

    /** As it is now; to be made where a file may be read. */
    internal fun own(): () -> SessionSettings {
        val headers = defaultHeaders.map(Header::toFfi)
        val jar = cookies
        val tokens = authenticator?.let(::Tokens)
        val proxies = ownProxies()
        return { SessionSettings(headers, jar?.native(), tokens, proxies) }
    }
}
