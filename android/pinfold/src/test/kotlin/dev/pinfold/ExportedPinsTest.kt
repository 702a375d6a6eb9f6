package dev.pinfold

import dev.pinfold.exported.certificatePinner
import okhttp3.CertificatePinner
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.io.File
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import java.util.Base64
import javax.net.ssl.SSLPeerUnverifiedException

/** What OkHttp itself makes of a file that `pinfold export --to okhttp` has written. */
class ExportedPinsTest {
    @Test
    fun `each name has the pins of its entry and no other`() {
        val (b, c) =
            listOf(
                "sha256/sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=",
                "sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=",
            )
        val ca = CertificatePinner.pin(certificate("anchor"))
        val expected =
            mapOf(
                "example.com" to setOf(ca, b),
                "www.example.com" to setOf(ca, b),
                "a.b.example.com" to setOf(ca, b),
                "api.example.com" to setOf(ca, b, c),
                "v1.api.example.com" to setOf(ca, b),
                "alone.example.org" to setOf(b, c),
                "192.0.2.1" to setOf(b, c),
                "www.alone.example.org" to setOf(),
                "evilexample.com" to setOf(),
            )
        for ((host, pins) in expected) {
            val found = certificatePinner.findMatchingPins(host).map { it.toString() }.toSet()
            assertEquals(pins, found, host)
        }
    }

    @Test
    fun `a pinned certificate passes and another does not`() {
        certificatePinner.check("www.example.com", listOf(certificate("anchor")))
        certificatePinner.check("www.example.net", listOf(certificate("other-anchor")))
        for (host in listOf("example.com", "a.b.example.com", "api.example.com")) {
            assertThrows<SSLPeerUnverifiedException> {
                certificatePinner.check(host, listOf(certificate("other-anchor")))
            }
        }
    }

    private fun certificate(name: String): X509Certificate {
        val der = Base64.getDecoder().decode(File("../../cli/tests/owner/$name.b64").readText())
        val factory = CertificateFactory.getInstance("X.509")
        return factory.generateCertificate(der.inputStream()) as X509Certificate
    }
}
