package dev.pinfold

import kotlinx.serialization.json.JsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.io.IOException
import java.net.InetSocketAddress
import java.net.SocketAddress
import java.net.URI
import java.net.Proxy as JavaProxy
import java.net.ProxySelector as JavaSelector

class ProxiesTest {
    private val login = ProxyCredentials("user", "open sesame")

    private fun proxy(
        server: String,
        credentials: ProxyCredentials? = null,
        scheme: Proxy.Scheme = Proxy.Scheme.HTTP,
    ) = Proxy(scheme, "127.0.0.1", Testkit.port(server), credentials)

    private fun connects(server: String): List<JsonObject> = Testkit.events(server, "request")

    @Test
    suspend fun `a request goes through each kind of proxy`() {
        val cases =
            listOf(
                proxy("proxy"),
                proxy("proxy_login", login),
                proxy("proxy_slow"),
                proxy("socks", scheme = Proxy.Scheme.SOCKS5H),
                proxy("socks", scheme = Proxy.Scheme.SOCKS5),
                proxy("socks_login", login, Proxy.Scheme.SOCKS5H),
            )
        for (proxy in cases) {
            Testkit.client { proxies = Proxies.Fixed(proxy) }.use { client ->
                assertEquals("ok", client.get(Testkit.url("/")).text(), "$proxy")
            }
        }
    }

    @Test
    suspend fun `pins hold through a proxy, and the facts name it`() {
        Testkit.clear("proxy")
        val proxies = Proxies.Fixed(proxy("proxy"))
        Testkit.client("interceptor") { this.proxies = proxies }.use { client ->
            val error =
                assertThrows<PinfoldException.PinMismatch> { client.get(Testkit.url("/")) }
            assertEquals(proxy("proxy").toString(), error.certificate.proxy)
            assertEquals(Testkit.HOST, error.host)
        }
        Testkit.await("interceptor", "alert") { true }
    }

    @Test
    suspend fun `refusals are the proxy's`() {
        suspend fun failure(proxy: Proxy): PinfoldException =
            Testkit.client { proxies = Proxies.Fixed(proxy) }.use { client ->
                assertThrows<PinfoldException> { client.get(Testkit.url("/")) }
            }
        val refused = failure(proxy("proxy_refusing")) as PinfoldException.ProxyRefused
        assertEquals(403, refused.status)
        assertEquals(proxy("proxy_refusing").toString(), refused.proxy)
        assertTrue(refused.message.contains("ERR_ACCESS_DENIED"), refused.message)

        val secret = ProxyCredentials("user", "wrong-secret")
        val unknown = failure(proxy("proxy_login", secret))
        assertTrue(unknown is PinfoldException.ProxyAuthRequired, "$unknown")
        val told = "$unknown ${unknown.cause} $secret ${proxy("proxy", secret)}"
        assertFalse(told.contains("wrong-secret"), told)

        val failed = failure(proxy("close_on_accept")) as PinfoldException.ProxyFailed
        assertEquals(proxy("close_on_accept").toString(), failed.proxy)
    }

    @Test
    suspend fun `excluded hosts are reached directly`() {
        Testkit.clear("proxy")
        for ((list, count) in listOf("example.test" to 0, "*:444, 10.0.0.0/8" to 1)) {
            val proxies = Proxies.Fixed(proxy("proxy"), list)
            Testkit.client { this.proxies = proxies }.use { it.get(Testkit.url("/")) }
            assertEquals(count, connects("proxy").size, list)
        }
        val wrong =
            assertThrows<PinfoldException.InvalidConfig> {
                Testkit.client { proxies = Proxies.Fixed(proxy("proxy"), "a.test, b..test") }
            }
        assertEquals("no_proxy[1]", wrong.place)
    }

    @Test
    suspend fun `a session goes through its own proxies, and nobody else does`() {
        for (server in listOf("proxy", "socks")) Testkit.clear(server)
        Testkit.client { proxies = Proxies.Fixed(proxy("proxy")) }.use { client ->
            val ways =
                listOf(
                    client.session {
                        proxies =
                            Proxies.Fixed(proxy("socks", scheme = Proxy.Scheme.SOCKS5H))
                    },
                    client.session(),
                    client.session { proxies = Proxies.None },
                    client,
                )
            val counts =
                ways.map {
                    it.get(Testkit.url("/"))
                    connects("proxy").size to connects("socks").size
                }
            assertEquals(listOf(0 to 1, 1 to 1, 1 to 1, 2 to 1), counts)
        }
    }

    @Test
    suspend fun `a selector of the app's is asked, and what it throws ends the call`() {
        Testkit.clear("proxy")
        val dead = ProxyRoute.Via(Proxy(Proxy.Scheme.HTTP, "127.0.0.1", 1))
        val good = ProxyRoute.Via(proxy("proxy"))
        val selector =
            ProxySelector { host, port ->
                assertEquals(Testkit.HOST to 443, host to port)
                listOf(dead, good)
            }
        Testkit.client { proxies = Proxies.Selector(selector) }.use { client ->
            client.get(Testkit.url("/"))
            assertEquals(1, connects("proxy").size)
        }
        val throwing =
            listOf<ProxySelector>(
                ProxySelector { _, _ -> throw IllegalStateException("of secrets") },
                ProxySelector { _, _ -> throw NoClassDefFoundError("of secrets") },
                ProxySelector { _, _ -> emptyList() },
                ProxySelector { _, _ ->
                    listOf(ProxyRoute.Via(Proxy(Proxy.Scheme.HTTP, "h", 0)))
                },
            )
        for (it in throwing) {
            Testkit.client { proxies = Proxies.Selector(it) }.use { client ->
                val error =
                    assertThrows<PinfoldException.ProxyFailed> { client.get(Testkit.url("/")) }
                assertNull(error.proxy)
                assertFalse(error.message.contains("of secrets"), error.message)
            }
        }
    }

    @Test
    suspend fun `the system's proxies are those of the JVM's ProxySelector, by default`() {
        val before = JavaSelector.getDefault()
        try {
            val kinds =
                listOf(
                    "proxy_login" to JavaProxy.Type.HTTP,
                    "socks" to JavaProxy.Type.SOCKS,
                )
            for ((server, type) in kinds) {
                Testkit.clear(server)
                val port = Testkit.port(server)
                val address = InetSocketAddress.createUnresolved("127.0.0.1", port)
                val selecting = Fixed(listOf(JavaProxy(type, address), JavaProxy.NO_PROXY))
                JavaSelector.setDefault(selecting)
                val asked = mutableListOf<Pair<String, Int>>()
                val system =
                    Proxies.System { host, port ->
                        asked += host to port
                        login
                    }
                Testkit.client { proxies = system }.use { it.get(Testkit.url("/")) }
                val target = connects(server).last().text("path")
                assertEquals("127.0.0.1:${Testkit.port("backend")}", target)
                // Once the answer is used.
                assertEquals(listOf("127.0.0.1" to port), asked)
                assertEquals(listOf(URI("https://${Testkit.HOST}:443/")), selecting.asked)
            }
            // By default, too; and a proxy that wants a password is named.
            val address = InetSocketAddress("127.0.0.1", Testkit.port("proxy_login"))
            JavaSelector.setDefault(Fixed(listOf(JavaProxy(JavaProxy.Type.HTTP, address))))
            Testkit.client().use { client ->
                assertThrows<PinfoldException.ProxyAuthRequired> {
                    client.get(Testkit.url("/"))
                }
            }
            Testkit.client { proxies = Proxies.None }.use { it.get(Testkit.url("/")) }
            // What cannot be read is no way.
            JavaSelector.setDefault(Throwing())
            Testkit.client().use { client ->
                assertThrows<PinfoldException.ProxyFailed> { client.get(Testkit.url("/")) }
            }
            JavaSelector.setDefault(null)
            Testkit.client().use { it.get(Testkit.url("/")) }
        } finally {
            JavaSelector.setDefault(before)
        }
    }

    @Test
    fun `what curl takes is a proxy`() {
        val proxy = Proxy.parse("socks5h://user:open%20sesame@[::1]:1081")
        assertEquals(Proxy(Proxy.Scheme.SOCKS5H, "::1", 1081, login), proxy)
        val wrong = assertThrows<PinfoldException.InvalidConfig> { Proxy.parse("ftp://u:secret@h") }
        assertEquals("proxy", wrong.place)
        assertFalse(wrong.message.contains("secret"))
    }

    private class Throwing : JavaSelector() {
        override fun select(uri: URI): List<JavaProxy> = throw IllegalStateException("no PAC")

        override fun connectFailed(
            uri: URI,
            address: SocketAddress,
            error: IOException,
        ) = Unit
    }

    private class Fixed(
        private val proxies: List<JavaProxy>,
    ) : JavaSelector() {
        val asked = mutableListOf<URI>()

        override fun select(uri: URI): List<JavaProxy> {
            asked += uri
            return proxies
        }

        override fun connectFailed(
            uri: URI,
            address: SocketAddress,
            error: IOException,
        ) = Unit
    }
}
