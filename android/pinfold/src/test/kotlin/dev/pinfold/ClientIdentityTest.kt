package dev.pinfold

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.security.KeyFactory
import java.security.KeyStore
import java.security.cert.CertificateFactory
import java.security.spec.PKCS8EncodedKeySpec
import java.util.Base64

class ClientIdentityTest {
    private val password = "of the key".toCharArray()

    private fun pem(name: String) = Testkit.identity(name).encodeToByteArray()

    /** A key store of the JVM's with the client's key. */
    private fun keyStore(
        name: String,
        algorithm: String,
    ): KeyStore {
        val text = Testkit.identity(name)
        val certificates =
            CertificateFactory
                .getInstance("X.509")
                .generateCertificates(text.substringBefore("-----BEGIN PRIVATE").byteInputStream())
        val base64 = text.substringAfter("PRIVATE KEY-----").substringBefore("-----END PRIVATE")
        val der = Base64.getMimeDecoder().decode(base64.trim())
        val key = KeyFactory.getInstance(algorithm).generatePrivate(PKCS8EncodedKeySpec(der))
        val store = KeyStore.getInstance("PKCS12")
        store.load(null)
        store.setKeyEntry("mine", key, password, certificates.toTypedArray())
        return store
    }

    private suspend fun get(identity: ClientIdentity?): String =
        Testkit.client("client_auth").use { client ->
            client.setIdentity(Testkit.HOST, identity)
            client.get(Testkit.url("/")).text()
        }

    @Test
    suspend fun `a key of the JVM's key store signs, of either kind`() {
        for ((name, algorithm) in listOf("client" to "EC", "client_rsa" to "RSA")) {
            val identity = ClientIdentity.keyStore(keyStore(name, algorithm), "mine", password)
            assertEquals("ok", get(identity), name)
        }
    }

    @Test
    suspend fun `keys in PEM sign, and an unknown client and nobody are told by one error`() {
        assertEquals("ok", get(ClientIdentity.pem(pem("client"))))
        assertEquals("ok", get(ClientIdentity.pem(pem("client_rsa"), pem("client_rsa"))))
        for (identity in listOf(null, ClientIdentity.pem(pem("client_unknown")))) {
            val error = assertThrows<PinfoldException.ClientCertificateRefused> { get(identity) }
            assertEquals(Testkit.HOST, error.host)
        }
    }

    @Test
    suspend fun `a renewed certificate is used without a new client`() {
        Testkit.client("client_auth").use { client ->
            client.setIdentity(Testkit.HOST, ClientIdentity.pem(pem("client")))
            assertEquals("ok", client.get(Testkit.url("/")).text())
            client.setIdentity(Testkit.HOST, ClientIdentity.pem(pem("client_renewed")))
            assertEquals("ok", client.get(Testkit.url("/")).text())
            client.setIdentity(Testkit.HOST, null)
            assertThrows<PinfoldException.ClientCertificateRefused> { client.get(Testkit.url("/")) }
            val wrong =
                assertThrows<PinfoldException.InvalidConfig> { client.setIdentity("a..test", null) }
            assertEquals("identity", wrong.place)
        }
    }

    @Test
    suspend fun `what a signer throws ends the call, errors too`() {
        val failures =
            listOf(IllegalStateException("of secrets"), NoClassDefFoundError("of secrets"))
        for (failure in failures) {
            val signer =
                object : ClientSigner {
                    override val algorithms = listOf(SignatureAlgorithm.ECDSA_P256_SHA256)

                    override fun sign(
                        algorithm: SignatureAlgorithm,
                        message: ByteArray,
                    ): ByteArray = throw failure
                }
            val chain = listOf(Testkit.certificate("client"), Testkit.certificate("intermediate"))
            val identity = ClientIdentity.signer(chain, signer)
            val error = assertThrows<PinfoldException.IoFailed> { get(identity) }
            assertEquals("client_certificate", error.place)
            assertFalse(error.message.contains("of secrets"), error.message)
        }
    }

    @Test
    fun `what is no identity is told by its place`() {
        fun place(make: () -> ClientIdentity) =
            assertThrows<PinfoldException.InvalidConfig> { make() }.place
        assertEquals("identity.certificate", place { ClientIdentity.pem(ByteArray(0)) })
        assertEquals("identity.key", place { ClientIdentity.pem(pem("client"), ByteArray(0)) })
        assertEquals("identity.pkcs12", place { ClientIdentity.pkcs12(ByteArray(9), "secret") })
        val store = keyStore("client", "EC")
        assertEquals("identity.key", place { ClientIdentity.keyStore(store, "other", password) })
        val wrong = "wrong".toCharArray()
        assertEquals("identity.key", place { ClientIdentity.keyStore(store, "mine", wrong) })
    }
}
