package dev.pinfold

import java.io.Serializable
import dev.pinfold.internal.Proxies as FfiProxies
import dev.pinfold.internal.Proxy as FfiProxy
import dev.pinfold.internal.ProxyRoute as FfiRoute
import dev.pinfold.internal.ProxyScheme as FfiScheme

/**
 * Where the proxies of a client come from. Pins hold through each of them: a tunnel's other end is
 * judged as ever, and whoever inspects it is refused and named.
 */
public sealed interface Proxies {
    /**
     * The system's, as `java.net.ProxySelector` knows them: on Android those of the network that the
     * device is in, with PAC files, which Android evaluates. What it says of a host is used for a
     * minute, or until the network changes.
     *
     * @property credentials Who the app is to the proxy at a host and a port; null for nobody. Asked on a
     *   thread of Pinfold's. Without it a proxy that wants a password ends a call with
     *   [PinfoldException.ProxyAuthRequired].
     */
    public class System(
        public val credentials: ((host: String, port: Int) -> ProxyCredentials?)? = null,
    ) : Proxies

    /** There are none, whatever the system says. */
    public data object None : Proxies

    /**
     * What the environment says, by curl's rules for HTTPS: the first of `https_proxy`,
     * `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY` that is not empty, but for the hosts of `no_proxy`
     * or `NO_PROXY`. For programs on a JVM.
     */
    public data object Environment : Proxies

    /**
     * One for every host that is not excluded.
     *
     * @property proxy The proxy.
     * @property noProxy The hosts that are reached directly: names with all below them, addresses,
     *   networks such as `10.0.0.0/8`, or `*`; each with a port if it ends in `:PORT`; with commas or
     *   blanks between them.
     */
    public class Fixed(
        public val proxy: Proxy,
        public val noProxy: String = "",
    ) : Proxies

    /**
     * The app is asked for each host.
     *
     * @property selector Who is.
     */
    public class Selector(
        public val selector: ProxySelector,
    ) : Proxies
}

/** Says by which ways a host may be reached. */
public fun interface ProxySelector {
    /**
     * The ways to [host] at [port], the best first. The next one is taken where a proxy cannot be
     * reached or used, and not where it refuses. Called on a thread of Pinfold's; its answer is used
     * for a minute, or until the network changes. To throw, or to name no way, fails the call with
     * [PinfoldException.ProxyFailed].
     */
    public fun select(
        host: String,
        port: Int,
    ): List<ProxyRoute>
}

/** One of the ways to a host. */
public sealed interface ProxyRoute {
    /** Without a proxy. */
    public data object Direct : ProxyRoute

    /**
     * Through a proxy.
     *
     * @property proxy It.
     */
    public data class Via(
        public val proxy: Proxy,
    ) : ProxyRoute
}

/**
 * A proxy. No [toString] of it holds the password.
 *
 * @property scheme How it is spoken to.
 * @property host Its host; the certificate of an `https` proxy is judged under this name, by the pin
 *   set's entry for it where there is one.
 * @property port Its port.
 * @property credentials Who the app is to it: for Basic (RFC 7617), Digest (RFC 7616) or SOCKS5
 *   (RFC 1929), whichever it asks for.
 */
public data class Proxy
    @JvmOverloads
    constructor(
        public val scheme: Scheme,
        public val host: String,
        public val port: Int,
        public val credentials: ProxyCredentials? = null,
    ) : Serializable {
        /** How a proxy is spoken to. */
        public enum class Scheme {
            /** CONNECT in the clear (RFC 9110 §9.3.6). */
            HTTP,

            /** CONNECT over TLS to the proxy. */
            HTTPS,

            /** SOCKS5 (RFC 1928); names are looked up by the client. */
            SOCKS5,

            /** SOCKS5; names are looked up by the proxy. */
            SOCKS5H,
        }

        /** Its URL, without user and password. */
        override fun toString(): String {
            val host = if (':' in host) "[$host]" else host
            return "${scheme.name.lowercase()}://$host:$port"
        }

        internal fun toFfi(): FfiProxy {
            checkSetting("proxy", port in 1..MAX_PORT, "its port is not 1 to $MAX_PORT")
            return FfiProxy(
                scheme = FfiScheme.valueOf(scheme.name),
                host = host.wellFormed(),
                port = port.toUShort(),
                user = credentials?.user?.wellFormed(),
                password = credentials?.password?.wellFormed(),
            )
        }

        /** Reads proxies. */
        public companion object {
            private const val serialVersionUID = 1L

            /**
             * Reads what curl takes after `-x`: `[SCHEME://][USER:PASSWORD@]HOST[:PORT]`. The scheme
             * is `http` without one, the port 443 for `https` and 1080 for all others.
             *
             * @throws PinfoldException.InvalidConfig
             */
            @JvmStatic
            @Throws(PinfoldException::class)
            public fun parse(url: String): Proxy =
                translated { dev.pinfold.internal.parseProxy(url.wellFormed()) }.toPublic()
        }
    }

/**
 * Who an app is to a proxy.
 *
 * @property user Without a colon, at most 255 bytes of UTF-8.
 * @property password At most 255 bytes of UTF-8. [toString] does not tell it.
 */
public data class ProxyCredentials(
    public val user: String,
    public val password: String,
) : Serializable {
    override fun toString(): String = "ProxyCredentials"

    private companion object {
        const val serialVersionUID = 1L
    }
}

private fun FfiProxy.toPublic() =
    Proxy(
        scheme = Proxy.Scheme.valueOf(scheme.name),
        host = host,
        port = port.toInt(),
        credentials = user?.let { ProxyCredentials(it, password.orEmpty()) },
    )

internal fun ProxyRoute.toFfi() =
    when (this) {
        ProxyRoute.Direct -> FfiRoute.Direct
        is ProxyRoute.Via -> FfiRoute.Via(proxy.toFfi())
    }

internal fun Proxies.toFfi() =
    when (this) {
        is Proxies.System -> FfiProxies.Selector(Selecting(SystemProxies(credentials)))
        Proxies.None -> FfiProxies.None
        Proxies.Environment -> FfiProxies.Environment
        is Proxies.Fixed -> FfiProxies.Fixed(proxy.toFfi(), noProxy.wellFormed())
        is Proxies.Selector -> FfiProxies.Selector(Selecting(selector))
    }
