package dev.pinfold.ktor

import dev.pinfold.PinnedClient
import io.ktor.client.engine.HttpClientEngine
import io.ktor.client.engine.HttpClientEngineConfig
import io.ktor.client.engine.HttpClientEngineFactory

/**
 * The engine for Ktor's `HttpClient` that sends through a [PinnedClient]: its connections, its decision,
 * its updates.
 *
 * ```
 * val http = HttpClient(Pinfold) {
 *     engine { client = pinnedClient }
 * }
 * ```
 *
 * Redirects, cookies, retries and content encodings are Ktor's plugins, as with its other engines. A
 * refused certificate is a `PinfoldException`, before a byte of a request has left.
 */
public data object Pinfold : HttpClientEngineFactory<PinfoldEngineConfig> {
    /**
     * Makes an engine.
     *
     * @throws IllegalArgumentException without [PinfoldEngineConfig.client], and for a proxy, which is
     *   the client's to know.
     */
    override fun create(block: PinfoldEngineConfig.() -> Unit): HttpClientEngine =
        PinfoldEngine(PinfoldEngineConfig().apply(block))
}

/** What [Pinfold] is told. */
public class PinfoldEngineConfig : HttpClientEngineConfig() {
    /** Who sends. It is not closed with the engine. */
    public var client: PinnedClient? = null
}
