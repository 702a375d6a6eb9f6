package dev.pinfold

import dev.pinfold.internal.SigningFailure
import java.security.KeyStore
import java.security.KeyStoreException
import java.security.PrivateKey
import java.security.Signature
import java.security.cert.Certificate
import java.security.spec.MGF1ParameterSpec
import java.security.spec.PSSParameterSpec
import dev.pinfold.internal.ClientIdentity as FfiIdentity
import dev.pinfold.internal.ClientSigner as FfiSigner
import dev.pinfold.internal.SignatureAlgorithm as FfiAlgorithm

/**
 * A certificate of the app's own with its key, for servers that ask for one (mutual TLS). It is given
 * to one host by [PinnedClient.setIdentity], and no other host or proxy is ever shown it.
 */
public class ClientIdentity private constructor(
    internal val native: FfiIdentity,
) {
    /** Makes identities. */
    public companion object {
        /**
         * Reads PEM: the certificates, the app's own first, and an unencrypted private key (PKCS#8,
         * SEC1 or PKCS#1), which may be in the same file.
         *
         * @throws PinfoldException.InvalidConfig for `identity.certificate` or `identity.key`.
         */
        @JvmStatic
        @JvmOverloads
        @Throws(PinfoldException::class)
        public fun pem(
            certificates: ByteArray,
            key: ByteArray = certificates,
        ): ClientIdentity = made { FfiIdentity.fromPem(certificates, key) }

        /**
         * Reads a PKCS#12 store with one private key, in a library that was built with the feature
         * `pkcs12`; the one for Android is not: `KeyStore.getInstance("PKCS12")` and [keyStore] do the same.
         *
         * @throws PinfoldException.InvalidConfig for `identity.pkcs12`.
         */
        @JvmStatic
        @Throws(PinfoldException::class)
        public fun pkcs12(
            store: ByteArray,
            password: String,
        ): ClientIdentity = made { FfiIdentity.fromPkcs12(store, password.wellFormed()) }

        /**
         * The key [alias] of a key store, which signs by `java.security.Signature`: with Android's Keystore it
         * never leaves the device's hardware.
         *
         * A key that may sign only after the user has shown a finger or a face needs a
         * [ClientConfig.connectTimeout] that lets them.
         *
         * @param password Of the key, where the store wants one.
         * @throws PinfoldException.InvalidConfig where there is no such key, or not with a certificate.
         */
        @JvmStatic
        @JvmOverloads
        @Throws(PinfoldException::class)
        public fun keyStore(
            store: KeyStore,
            alias: String,
            password: CharArray? = null,
        ): ClientIdentity {
            val (key, chain) =
                try {
                    store.getKey(alias, password) as? PrivateKey to store.getCertificateChain(alias)
                } catch (e: KeyStoreException) {
                    throw unusable("identity.key", "the key store says ${e.javaClass.simpleName}")
                } catch (e: java.security.GeneralSecurityException) {
                    throw unusable("identity.key", "the key store says ${e.javaClass.simpleName}")
                }
            if (key == null) throw unusable("identity.key", "no private key of that alias")
            if (chain.isNullOrEmpty()) throw unusable("identity.certificate", "there is none")
            return signer(chain.map(Certificate::getEncoded), KeySigner(key))
        }

        /**
         * Certificates whose key is wherever [signer] has it.
         *
         * @param chain In DER, the app's own first.
         * @throws PinfoldException.InvalidConfig for `identity.certificate`.
         */
        @JvmStatic
        @Throws(PinfoldException::class)
        public fun signer(
            chain: List<ByteArray>,
            signer: ClientSigner,
        ): ClientIdentity = made { FfiIdentity.withSigner(chain, Signing(signer)) }

        private fun made(make: () -> FfiIdentity) = ClientIdentity(translated(make))

        private fun unusable(
            place: String,
            reason: String,
        ) = PinfoldException.InvalidConfig("setting $place: $reason", place)
    }
}

/** Signs with a key that never leaves its place. */
public interface ClientSigner {
    /** What it signs with, the best first; those count that fit the certificate's key and the server. */
    public val algorithms: List<SignatureAlgorithm>

    /**
     * Signs [message], which it hashes itself. ECDSA's signature is in DER (RFC 3279 §2.2.3). Called on a
     * thread of Pinfold's in the midst of a handshake, and waited for as long as
     * [ClientConfig.connectTimeout]. To throw ends the call with [PinfoldException.IoFailed] for
     * `client_certificate`.
     */
    public fun sign(
        algorithm: SignatureAlgorithm,
        message: ByteArray,
    ): ByteArray
}

/**
 * An algorithm of signatures in TLS (RFC 8446 §4.2.3).
 *
 * @property jca What `java.security.Signature` calls it; the salt of RSASSA-PSS is as long as the hash.
 */
public enum class SignatureAlgorithm(
    public val jca: String,
) {
    /** ECDSA by a key on P-256. */
    ECDSA_P256_SHA256("SHA256withECDSA"),

    /** ECDSA by a key on P-384. */
    ECDSA_P384_SHA384("SHA384withECDSA"),

    /** ECDSA by a key on P-521. */
    ECDSA_P521_SHA512("SHA512withECDSA"),

    /** Ed25519. */
    ED25519("Ed25519"),

    /** RSASSA-PSS with SHA-256. */
    RSA_PSS_SHA256("SHA256withRSA/PSS"),

    /** RSASSA-PSS with SHA-384. */
    RSA_PSS_SHA384("SHA384withRSA/PSS"),

    /** RSASSA-PSS with SHA-512. */
    RSA_PSS_SHA512("SHA512withRSA/PSS"),

    /** RSASSA-PKCS1-v1_5 with SHA-256: in TLS 1.2 alone. */
    RSA_PKCS1_SHA256("SHA256withRSA"),

    /** RSASSA-PKCS1-v1_5 with SHA-384: in TLS 1.2 alone. */
    RSA_PKCS1_SHA384("SHA384withRSA"),

    /** RSASSA-PKCS1-v1_5 with SHA-512: in TLS 1.2 alone. */
    RSA_PKCS1_SHA512("SHA512withRSA"),
}

/** A key of a key store. */
private class KeySigner(
    private val key: PrivateKey,
) : ClientSigner {
    // Those that do not fit its curve do not fit its certificate either.
    override val algorithms: List<SignatureAlgorithm> =
        SignatureAlgorithm.entries.filter { algorithm ->
            when (key.algorithm) {
                "EC" -> algorithm.jca.endsWith("ECDSA")
                "RSA" -> "RSA" in algorithm.jca && isAvailable(algorithm)
                else -> algorithm == SignatureAlgorithm.ED25519
            }
        }

    override fun sign(
        algorithm: SignatureAlgorithm,
        message: ByteArray,
    ): ByteArray {
        val signature = signature(algorithm)
        signature.initSign(key)
        signature.update(message)
        return signature.sign()
    }

    /** Keys of Android's Keystore may be for some paddings only, and say so when they are to be used. */
    private fun isAvailable(algorithm: SignatureAlgorithm) =
        try {
            signature(algorithm).initSign(key)
            true
        } catch (_: java.security.GeneralSecurityException) {
            false
        }

    private fun signature(algorithm: SignatureAlgorithm): Signature {
        if (!algorithm.jca.endsWith("/PSS")) return Signature.getInstance(algorithm.jca)
        return try {
            // Android's name for it, with the salt that TLS wants.
            Signature.getInstance(algorithm.jca)
        } catch (_: java.security.NoSuchAlgorithmException) {
            val bits = algorithm.jca.substring(3, 6).toInt()
            val hash = "SHA-$bits"
            val salt = bits / Byte.SIZE_BITS
            Signature.getInstance("RSASSA-PSS").apply {
                setParameter(PSSParameterSpec(hash, "MGF1", MGF1ParameterSpec(hash), salt, 1))
            }
        }
    }
}

/** A signer as Rust asks it. */
private class Signing(
    private val signer: ClientSigner,
) : FfiSigner {
    override fun algorithms(): List<FfiAlgorithm> =
        caught { signer.algorithms.map { FfiAlgorithm.valueOf(it.name) } }

    override fun sign(
        algorithm: FfiAlgorithm,
        message: ByteArray,
    ): ByteArray = caught { signer.sign(SignatureAlgorithm.valueOf(algorithm.name), message) }

    private fun <T> caught(work: () -> T): T =
        try {
            work()
        } catch (e: Throwable) {
            // Errors too: UniFFI catches exceptions only. Not its message, which may hold anything.
            throw SigningFailure.Failed("the signer threw ${e.javaClass.name}")
        }
}
