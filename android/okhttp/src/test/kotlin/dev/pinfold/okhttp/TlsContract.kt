package dev.pinfold.okhttp

import dev.pinfold.PinfoldException
import dev.pinfold.Pinning
import okhttp3.TlsVersion
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import javax.net.ssl.SSLException
import javax.net.ssl.SSLHandshakeException
import javax.net.ssl.SSLPeerUnverifiedException

/** Certificates, connections that are used again, and sessions that are resumed. */
class TlsContract(
    way: Way,
) : Contract(way) {
    @Test
    fun `a pinned certificate is accepted`() {
        answer { body("there") }
        send().use {
            assertEquals("there", it.body.string())
            val pinning = it.pinning
            if (way == Way.INTERCEPTOR) assertInstanceOf(Pinning.Matched::class.java, pinning)
        }
    }

    @Test
    fun `another key is refused before a request`() {
        present(Pki.rotated)
        val error = fails<SSLException> { send() }
        if (way != Way.PLAIN) {
            val refused = assertInstanceOf(PinfoldException.PinMismatch::class.java, error.pinfold)
            assertEquals(Pki.HOST, refused.host)
        }
        // Difference.ALERT_SAYS: the pinner is asked after the handshake, the trust manager within it.
        val isWithin = way == Way.TRUST_MANAGER
        assertEquals(isWithin, error is SSLHandshakeException)
        assertEquals(!isWithin, error is SSLPeerUnverifiedException)
        assertEquals(0, server.requestCount)
    }

    @Test
    fun `an authority that nobody knows is refused`() {
        present(Pki.untrusted)
        fails<SSLHandshakeException> { send() }
        assertEquals(0, server.requestCount)
    }

    @Test
    fun `a certificate for another host is refused`() {
        present(Pki.wrongHost)
        fails<SSLException> { send() }
        assertEquals(0, server.requestCount)
    }

    @Test
    fun `a certificate that has expired is refused`() {
        present(Pki.expired)
        fails<SSLHandshakeException> { send() }
        assertEquals(0, server.requestCount)
    }

    @Test
    fun `a host that nobody pins`() {
        answer { body("there") }
        val work = { text { url(url("/", Pki.UNPINNED)) } }
        when (way) {
            Way.PLAIN -> {
                assertEquals("there", work())
            }

            // Difference.UNPINNED
            Way.INTERCEPTOR, Way.TRUST_MANAGER -> {
                val error = fails<SSLException> { work() }
                assertInstanceOf(PinfoldException.HostNotPinned::class.java, error.pinfold)
                assertEquals(0, server.requestCount)
            }
        }
    }

    @Test
    fun `an answer tells of its handshake`() {
        answer()
        send().use { response ->
            val handshake = response.handshake
            // Difference.HANDSHAKE
            if (way == Way.INTERCEPTOR) return@use assertNull(handshake)
            assertEquals(TlsVersion.TLS_1_3, handshake?.tlsVersion)
            val path = listOf(Pki.good.certificate, Pki.root.certificate)
            assertEquals(path, handshake?.peerCertificates)
        }
    }

    @Test
    fun `a connection is used again`() {
        repeat(3) { answer { body("$it") } }
        repeat(3) { assertEquals("$it", text()) }
        val seen = List(3) { received().run { connectionIndex to exchangeIndex } }
        assertEquals(listOf(0 to 0, 0 to 1, 0 to 2), seen)
    }

    @Test
    fun `a connection that its server closes is not used again`() {
        answer { setHeader("Connection", "close") }
        answer { body("there") }
        send().close()
        assertEquals("there", text())
        assertNotEquals(received().connectionIndex, received().connectionIndex)
    }

    @Test
    fun `a session is resumed, with its certificate`() {
        repeat(2) { answer { setHeader("Connection", "close") } }
        repeat(2) {
            send().use { response ->
                val presented = response.handshake?.peerCertificates?.first()
                if (way != Way.INTERCEPTOR) assertEquals(Pki.good.certificate, presented)
            }
        }
        assertEquals(listOf(0, 1), List(2) { received().connectionIndex })
    }

    @Test
    fun `the host is named in the handshake`() {
        answer()
        send().close()
        assertEquals(listOf(Pki.HOST), received().handshakeServerNames)
    }

    @Test
    fun `calls at once have connections of their own`() {
        val threads = Executors.newFixedThreadPool(4)
        repeat(16) { answer { body("there") } }
        val all = threads.invokeAll(List(16) { Callable { text() } })
        assertEquals(setOf("there"), all.map { it.get() }.toSet())
        threads.shutdown()
    }
}
