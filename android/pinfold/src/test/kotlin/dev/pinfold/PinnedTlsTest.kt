package dev.pinfold

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotSame
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import java.io.IOException
import java.net.URI
import java.security.KeyStore
import java.security.cert.CertificateException
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import java.util.concurrent.atomic.AtomicLong
import javax.net.ssl.HttpsURLConnection
import javax.net.ssl.SSLHandshakeException
import javax.net.ssl.SSLSocket
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509ExtendedTrustManager
import javax.net.ssl.X509TrustManager

/** The decision for other HTTP clients, tried with the JVM's own. */
class PinnedTlsTest {
    @Test
    fun `HttpURLConnection has its certificates judged`() =
        using("backend") { _, tls ->
            assertEquals("ok", get(tls, "backend"))
            for (server in listOf("rotated", "interceptor")) {
                val refused = assertThrows<SSLHandshakeException> { get(tls, server) }
                val cause = assertInstanceOf<CertificateException>(refused.cause)
                assertInstanceOf<PinfoldException.PinMismatch>(cause.cause)
            }
            val refused = assertThrows<SSLHandshakeException> { get(tls, "impostor") }
            assertInstanceOf<PinfoldException.Untrusted>(refused.cause?.cause)
        }

    @Test
    fun `the host name is judged, whatever the app's verifier says`() =
        using("wrong_host") { _, tls ->
            val refused = assertThrows<SSLHandshakeException> { get(tls, "wrong_host") }
            val cause = assertInstanceOf<PinfoldException.Untrusted>(refused.cause?.cause)
            assertEquals(PinfoldException.Untrusted.Reason.WRONG_HOST, cause.reason)
        }

    @Test
    fun `a withdrawn pin is refused though connection and session are good`() =
        using("backend") { client, tls ->
            assertEquals("ok", get(tls, "backend"))
            client.replacePins(pins("rotated"))
            assertThrows<SSLHandshakeException> { get(tls, "backend") }
            client.replacePins(pins("backend"))
            assertEquals("ok", get(tls, "backend"))
        }

    @Test
    fun `there is one factory for each pin set`() =
        using("backend") { client, tls ->
            val first = tls.socketFactory
            get(tls, "backend")
            assertSame(first, tls.socketFactory)
            client.replacePins(pins("rotated"))
            assertNotSame(first, tls.socketFactory)
        }

    @Test
    fun `there is another factory when an accepted certificate has expired`() {
        val now = AtomicLong(System.currentTimeMillis())
        client("backend").use { client ->
            val tls = PinnedTls(client, now::get)
            val first = tls.socketFactory
            get(tls, "backend")
            val end = chain("backend").first().notAfter.time
            now.set(end - 1)
            assertSame(first, tls.socketFactory)
            now.set(end)
            assertNotSame(first, tls.socketFactory)
        }
    }

    @Test
    fun `a connection that is there is judged for the name that is asked for`() =
        using("backend") { _, tls ->
            tls.check(HOST, chain("backend"))
            tls.check(HOST, chain("backend"))
            assertThrows<PinfoldException.PinMismatch> { tls.check(HOST, chain("rotated")) }
            assertThrows<PinfoldException.HostNotPinned> {
                tls.check("other.example.test", chain("backend"))
            }
            assertThrows<PinfoldException.InvalidRequest> { tls.check(HOST, emptyList()) }
        }

    /** OkHttp's HTTP/2 connections serve every name of their certificate. */
    @Test
    fun `a certificate has to be right for each of its names that has an entry`() {
        val both =
            PinSet.build {
                host(HOST) { pinned("backend") }
                host("other.example.test") { pinned("rotated") }
            }
        Testkit.client(pins = both).use { client ->
            assertThrows<PinfoldException.PinMismatch> {
                PinnedTls(client).check(HOST, chain("backend"))
            }
        }
    }

    @Test
    fun `a socket without a name is refused`() =
        using("backend") { _, tls ->
            val manager = tls.trustManager as X509ExtendedTrustManager
            val chain = chain("backend").toTypedArray()
            val socket = tls.socketFactory.createSocket() as SSLSocket
            socket.use {
                assertThrows<CertificateException> { manager.checkServerTrusted(chain, "RSA", it) }
            }
            assertThrows<CertificateException> { manager.checkServerTrusted(chain, "RSA") }
            assertThrows<CertificateException> { manager.checkClientTrusted(chain, "RSA") }
        }

    /** Android's `X509TrustManagerExtensions` looks for this method by its name. */
    @Test
    fun `Android's way of asking is answered`() =
        using("backend") { _, tls ->
            val method =
                tls.trustManager.javaClass.getMethod(
                    "checkServerTrusted",
                    Array<X509Certificate>::class.java,
                    String::class.java,
                    String::class.java,
                )
            method.isAccessible = true
            val chain = chain("backend")
            assertEquals(chain, method.invoke(tls.trustManager, chain.toTypedArray(), "RSA", HOST))
        }

    @Test
    fun `the accepted issuers are those that end a path`() {
        fun issuers(client: PinnedClient) =
            client.use {
                PinnedTls(it).trustManager.acceptedIssuers.map { of ->
                    of.encoded.toList()
                }
            }
        val root = Testkit.certificate("root").toList()
        val private = Testkit.certificate("private_root")
        assertEquals(true, root in issuers(Testkit.client()))
        val own =
            PinSet.build {
                host(HOST) {
                    trust = Trust.PRIVATE_CA
                    anchor(private)
                    pinned("private")
                }
            }
        assertEquals(true, private.toList() in issuers(Testkit.client(pins = own)))
        val system = PinnedClient(own)
        val platform = (platformManager().acceptedIssuers).map { it.encoded.toList() }
        assertEquals(true, issuers(system).containsAll(platform))
    }

    @Test
    fun `a closed client judges nothing`() {
        val client = client("backend")
        val tls = PinnedTls(client)
        client.close()
        assertThrows<PinfoldException.ClientClosed> { tls.socketFactory }
    }

    private fun platformManager(): X509TrustManager {
        val name = TrustManagerFactory.getDefaultAlgorithm()
        val factory = TrustManagerFactory.getInstance(name)
        factory.init(null as KeyStore?)
        return factory.trustManagers.single() as X509TrustManager
    }

    private fun using(
        pin: String,
        work: (PinnedClient, PinnedTls) -> Unit,
    ) = client(pin).use { work(it, PinnedTls(it)) }

    private fun client(pin: String) = Testkit.client(pins = pins(pin))

    private fun pins(pin: String) = PinSet.build { host(HOST) { pinned(pin) } }

    private fun HostBuilder.pinned(pin: String) {
        pin(Testkit.pin(pin))
        backup(Testkit.pin("backup"))
    }

    private fun chain(server: String): List<X509Certificate> {
        val factory = CertificateFactory.getInstance("X.509")
        return Testkit.chains.getValue(server).map {
            factory.generateCertificate(it.inputStream()) as X509Certificate
        }
    }

    private fun get(
        tls: PinnedTls,
        server: String,
    ): String {
        val url = URI("https://$HOST:${Testkit.port(server)}/").toURL()
        val connection = url.openConnection() as HttpsURLConnection
        connection.sslSocketFactory = tls.socketFactory
        connection.setHostnameVerifier { _, _ -> true }
        return try {
            connection.inputStream.use { it.readBytes().decodeToString() }
        } catch (e: IOException) {
            connection.disconnect()
            throw e
        }
    }

    private companion object {
        const val HOST = "localhost"
    }
}
