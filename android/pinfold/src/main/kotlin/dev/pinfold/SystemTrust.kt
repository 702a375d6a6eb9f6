package dev.pinfold

import dev.pinfold.internal.PlatformTrust
import dev.pinfold.internal.TrustedPath
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.cert.CertPathBuilder
import java.security.cert.CertStore
import java.security.cert.CertificateException
import java.security.cert.CertificateFactory
import java.security.cert.CollectionCertStoreParameters
import java.security.cert.PKIXBuilderParameters
import java.security.cert.PKIXCertPathBuilderResult
import java.security.cert.TrustAnchor
import java.security.cert.X509CertSelector
import java.security.cert.X509Certificate
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager

/**
 * [Roots.System]: the app's own trust manager judges, so that on Android its Network Security
 * Config holds. It needs no `Context` and nothing to initialise. Rust calls it on a thread of its
 * own, bounds it in time, and checks the host name, the end-entity and the pins itself.
 *
 * @param keyStore The authorities; null for the platform's.
 * @param extensions Android's class for trust managers that know hosts.
 */
internal class SystemTrust(
    private val keyStore: KeyStore? = null,
    private val extensions: String = "android.net.http.X509TrustManagerExtensions",
) : PlatformTrust {
    // Reads the trust store, which takes its time; a failure is tried again with the next question.
    private val manager: X509TrustManager by lazy {
        val factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm())
        factory.init(keyStore)
        factory.trustManagers.filterIsInstance<X509TrustManager>().first()
    }
    private val judge: Judge by lazy {
        AndroidJudge.orNull(manager, extensions) ?: JvmJudge(manager)
    }

    /** The authorities that the trust manager names: on Android all that Android has. */
    fun acceptedIssuers(): List<X509Certificate> = manager.acceptedIssuers.toList()

    override fun verify(
        chain: List<ByteArray>,
        host: String,
    ): TrustedPath =
        try {
            judge.verify(read(chain), host)
        } catch (e: Throwable) {
            // Errors too: UniFFI catches exceptions only.
            throw e.toTrustFailure()
        }

    /** Servers send all sorts of things: what is no certificate is left out, but for the first. */
    private fun read(chain: List<ByteArray>): List<X509Certificate> {
        val factory = CertificateFactory.getInstance("X.509")
        val certificates =
            chain.mapIndexedNotNull { i, der ->
                try {
                    factory.generateCertificate(der.inputStream())
                } catch (e: CertificateException) {
                    if (i == 0) throw e else null
                }
            }
        return certificates.map { it as X509Certificate }
    }
}

/** A trust manager, and how to learn its path. It throws what the trust manager throws. */
private interface Judge {
    fun verify(
        chain: List<X509Certificate>,
        host: String,
    ): TrustedPath
}

/**
 * Android's `X509TrustManagerExtensions`, which takes the host that a Network Security Config needs
 * and answers with the verified path. Public API since Android 4.2 and 5.0; by reflection, because
 * this module is compiled for the JVM.
 */
private class AndroidJudge(
    type: Class<*>,
    manager: X509TrustManager,
) : Judge {
    private val extensions = type.getConstructor(X509TrustManager::class.java).newInstance(manager)
    private val check =
        type.getMethod(
            "checkServerTrusted",
            Array<X509Certificate>::class.java,
            String::class.java,
            String::class.java,
        )
    private val isUserAdded =
        type.getMethod("isUserAddedCertificate", X509Certificate::class.java)

    override fun verify(
        chain: List<X509Certificate>,
        host: String,
    ): TrustedPath {
        // What it throws is the cause of what reflection throws.
        val path = check.invoke(extensions, chain.toTypedArray(), chain.authType(), host) as List<*>
        val certificates = path.map { it as X509Certificate }
        // Only for people: where it cannot be told, the chain is no less trusted.
        val isAdded = runCatching { isUserAdded.invoke(extensions, certificates.last()) }
        return trusted(certificates, isAdded.getOrNull() as Boolean?)
    }

    companion object {
        /** Null on the JVM, and for a trust manager of the app's own that does not know hosts. */
        fun orNull(
            manager: X509TrustManager,
            extensions: String,
        ): Judge? =
            try {
                AndroidJudge(Class.forName(extensions), manager)
            } catch (_: ReflectiveOperationException) {
                null
            }
    }
}

/** A trust manager as any JVM has it. */
private class JvmJudge(
    private val manager: X509TrustManager,
) : Judge {
    override fun verify(
        chain: List<X509Certificate>,
        host: String,
    ): TrustedPath {
        manager.checkServerTrusted(chain.toTypedArray(), chain.authType())
        return trusted(path(chain), isAdded = null)
    }

    /** The path that the JVM finds for a trusted chain; the trust manager does not tell its own. */
    private fun path(chain: List<X509Certificate>): List<X509Certificate> {
        val authorities = manager.acceptedIssuers
        // One that is trusted itself needs no path.
        if (chain.first() in authorities) return chain.take(1)
        val target = X509CertSelector().apply { certificate = chain.first() }
        return try {
            val anchors = authorities.map { TrustAnchor(it, null) }.toSet()
            val parameters = PKIXBuilderParameters(anchors, target)
            // The trust manager has seen to it, as far as the JVM is configured to.
            parameters.isRevocationEnabled = false
            val presented = CollectionCertStoreParameters(chain)
            parameters.addCertStore(CertStore.getInstance("Collection", presented))
            val found = CertPathBuilder.getInstance("PKIX").build(parameters)
            val below = found.certPath.certificates.map { it as X509Certificate }
            below + (found as PKIXCertPathBuilderResult).trustAnchor.trustedCert
        } catch (_: GeneralSecurityException) {
            // Then Rust proves a pin by itself.
            emptyList()
        }
    }
}

private fun trusted(
    path: List<X509Certificate>,
    isAdded: Boolean?,
) = TrustedPath(path.map { it.encoded }, isAdded)

/** The key exchange as TLS 1.2 names it; with later ones only the end-entity's key counts. */
private fun List<X509Certificate>.authType(): String =
    when (first().publicKey.algorithm) {
        "RSA" -> "ECDHE_RSA"
        "EC" -> "ECDHE_ECDSA"
        else -> "UNKNOWN"
    }
