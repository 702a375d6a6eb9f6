package dev.pinfold

import dev.pinfold.internal.TrustFailure
import dev.pinfold.internal.TrustedPath
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.security.cert.CertificateException
import java.security.cert.X509Certificate
import javax.net.ssl.X509TrustManager

/**
 * What [SystemTrust] makes of `X509TrustManagerExtensions`, with stand-ins of its shape. Android's
 * own is tested in `android/robolectric`, which takes a download of its own.
 */
class AndroidBranchTest {
    private val chain = Testkit.chains.getValue("backend")

    @Test
    fun `the path and the user's authority are those that it tells`() {
        for (isAdded in listOf(true, false)) {
            Extensions.isAdded = { isAdded }
            val path = verify<Extensions>()
            assertEquals(isAdded, path.addedAuthority)
            val expected = Testkit.chains.getValue("backend_root").map { it.toList() }
            assertEquals(expected, path.certificates.map { it.toList() })
        }
    }

    @Test
    fun `where it cannot tell the user's authority, the chain is no less trusted`() {
        Extensions.isAdded = { error("no store") }
        val path = verify<Extensions>()
        assertNull(path.addedAuthority)
        assertEquals(3, path.certificates.size)
    }

    @Test
    fun `its reasons arrive as its trust manager's own`() {
        val trust = SystemTrust(Testkit.keyStore("root"), Extensions::class.java.name)
        assertThrows<TrustFailure.UnknownIssuer> { trust.verify(chain, "unknown.example.test") }
        assertThrows<TrustFailure.Expired> {
            trust.verify(Testkit.chains.getValue("expired"), Testkit.HOST)
        }
    }

    @Test
    fun `a trust manager that does not know hosts is asked without one`() {
        assertNull(verify<Refusing>().addedAuthority)
        assertEquals(3, verify<Refusing>().certificates.size)
    }

    @Test
    fun `one of another shape is not asked`() {
        assertEquals(3, verify<String>().certificates.size)
    }

    private inline fun <reified T> verify(): TrustedPath =
        SystemTrust(Testkit.keyStore("root"), T::class.java.name).verify(chain, Testkit.HOST)

    @Suppress("unused") // by reflection
    class Extensions(
        private val manager: X509TrustManager,
    ) {
        fun checkServerTrusted(
            chain: Array<X509Certificate>,
            authType: String,
            host: String,
        ): List<X509Certificate> {
            assertEquals("ECDHE_ECDSA", authType)
            if (host != Testkit.HOST) {
                // As Android says it.
                throw CertificateException("Trust anchor for certification path not found.")
            }
            manager.checkServerTrusted(chain, authType)
            return chain.toList() + manager.acceptedIssuers
        }

        fun isUserAddedCertificate(certificate: X509Certificate): Boolean {
            assertEquals(certificate.issuerX500Principal, certificate.subjectX500Principal)
            return isAdded()
        }

        companion object {
            var isAdded: () -> Boolean = { false }
        }
    }

    class Refusing(
        manager: X509TrustManager,
    ) {
        init {
            throw IllegalArgumentException("$manager does not know hosts")
        }
    }
}
