package dev.pinfold

import android.content.pm.ApplicationInfo
import android.os.Build
import android.security.net.config.ApplicationConfig
import android.security.net.config.CertificateSource
import android.security.net.config.CertificatesEntryRef
import android.security.net.config.ConfigSource
import android.security.net.config.Domain
import android.security.net.config.NetworkSecurityConfig
import android.security.net.config.NetworkSecurityConfigProvider
import android.security.net.config.Pin
import android.security.net.config.UserCertificateSource
import com.android.org.conscrypt.ct.CTLogInfo
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import java.io.File
import java.security.MessageDigest
import java.security.Security
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import java.util.Base64
import android.security.net.config.PinSet as ConfigPins
import android.util.Pair as AndroidPair

/** A device whose maker trusts testkit's `root`, and whose user has added `other_root`. */
object Device {
    init {
        install("root", "${System.getenv("ANDROID_ROOT")}/etc/security/cacerts")
        install("other_root", "${System.getenv("ANDROID_DATA")}/misc/user/0/cacerts-added")
    }

    /**
     * The app's Network Security Config from now on: its `base-config`, and one for [Testkit.HOST].
     */
    fun configure(
        base: NetworkSecurityConfig.Builder.() -> Unit = {},
        domain: (NetworkSecurityConfig.Builder.() -> Unit)? = null,
    ) {
        val app = ApplicationInfo().apply { targetSdkVersion = Build.VERSION_CODES.N }
        val default = NetworkSecurityConfig.getDefaultBuilder(app).apply(base)
        val domains =
            domain?.let {
                val config = NetworkSecurityConfig.Builder().setParent(default).apply(it)
                setOf(AndroidPair(Domain(Testkit.HOST, false), config.build()))
            }
        val source =
            object : ConfigSource {
                override fun getDefaultConfig() = default.build()

                override fun getPerDomainConfigs() = domains.orEmpty()
            }
        install()
        ApplicationConfig.setDefaultInstance(ApplicationConfig(source))
    }

    /** As Android does before an app's own code; Robolectric puts its own before it in each test. */
    private fun install() {
        val provider = Security.getProviders().find { it is NetworkSecurityConfigProvider }
        provider?.let { Security.removeProvider(it.name) }
        NetworkSecurityConfigProvider.install(RuntimeEnvironment.getApplication())
    }

    /** Names the files as OpenSSL did before 1.0. */
    private fun install(
        name: String,
        folder: String,
    ) {
        val der = Testkit.certificate(name)
        val certificates = CertificateFactory.getInstance("X.509")
        val certificate = certificates.generateCertificate(der.inputStream()) as X509Certificate
        val subject = certificate.subjectX500Principal.encoded
        val digest = MessageDigest.getInstance("MD5").digest(subject)
        val hash = digest.take(4).reversed().joinToString("") { "%02x".format(it) }
        File(folder).mkdirs()
        File(folder, "$hash.0").writeBytes(der)
    }
}

/** `<certificates src="user"/>` */
fun NetworkSecurityConfig.Builder.trustUser() = trust(UserCertificateSource.getInstance())

fun NetworkSecurityConfig.Builder.trust(source: CertificateSource) {
    addCertificatesEntryRef(CertificatesEntryRef(source, false))
}

/** `<pin-set>` */
fun NetworkSecurityConfig.Builder.pin(pin: String) {
    val digest = Base64.getDecoder().decode(pin.removePrefix("sha256/"))
    setPinSet(ConfigPins(setOf(Pin("SHA-256", digest)), Long.MAX_VALUE))
}

/** The logs of Certificate Transparency, whose keys only Android's native code can read. */
@Implements(className = "com.android.org.conscrypt.ct.CTLogStoreImpl", isInAndroidSdk = false)
class NoLogs {
    companion object {
        @JvmStatic
        @Implementation
        fun getDefaultFallbackLogs(): Array<CTLogInfo> = emptyArray()
    }
}
