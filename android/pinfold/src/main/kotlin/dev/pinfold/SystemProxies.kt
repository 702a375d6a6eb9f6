package dev.pinfold

import dev.pinfold.internal.SelectionFailure
import java.net.InetSocketAddress
import java.net.URI
import dev.pinfold.internal.ProxyRoute as FfiRoute
import dev.pinfold.internal.ProxySelector as FfiSelector
import java.net.Proxy as JavaProxy
import java.net.ProxySelector as JavaSelector

/** [Proxies.System]: whoever `java.net` asks, at the time of the question. */
internal class SystemProxies(
    private val credentials: ((host: String, port: Int) -> ProxyCredentials?)?,
) : ProxySelector {
    override fun select(
        host: String,
        port: Int,
    ): List<ProxyRoute> {
        // Without one `java.net` connects directly, too.
        val selector = JavaSelector.getDefault() ?: return listOf(ProxyRoute.Direct)
        val authority = if (':' in host) "[$host]" else host
        val proxies = selector.select(URI("https://$authority:$port/"))
        return proxies.map(::route)
    }

    private fun route(proxy: JavaProxy): ProxyRoute {
        if (proxy.type() == JavaProxy.Type.DIRECT) return ProxyRoute.Direct
        val address = proxy.address()
        require(address is InetSocketAddress) { "a proxy without a host and a port" }
        val scheme =
            when (proxy.type()) {
                JavaProxy.Type.SOCKS -> Proxy.Scheme.SOCKS5H
                else -> Proxy.Scheme.HTTP
            }
        // The name, where it is one, without asking a resolver for the address' own.
        val host = address.hostString
        val login = credentials?.invoke(host, address.port)
        return ProxyRoute.Via(Proxy(scheme, host, address.port, login))
    }
}

/** A selector as Rust asks it. */
internal class Selecting(
    private val selector: ProxySelector,
) : FfiSelector {
    override fun select(
        host: String,
        port: UShort,
    ): List<FfiRoute> =
        try {
            selector.select(host, port.toInt()).map { it.toFfi() }
        } catch (e: Throwable) {
            // Errors too: UniFFI catches exceptions only. Not its message, which may hold anything.
            throw SelectionFailure.Failed("the selector threw ${e.javaClass.name}")
        }
}
