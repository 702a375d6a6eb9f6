@file:JvmName("PinfoldDebug")

package dev.pinfold.debug

import android.content.Context
import android.util.Base64
import dev.pinfold.PinAt
import dev.pinfold.PinSet
import dev.pinfold.PinfoldException
import dev.pinfold.Trust
import java.security.MessageDigest
import java.security.cert.CertificateException
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate

/**
 * A pin set for a debugging proxy or a server of the developer's own, in builds that are debuggable:
 * `android:debuggable`, as Android Studio builds them and no store takes them.
 *
 * ```
 * // src/debug; src/release has PinnedClient(this, pins)
 * val client = PinnedClient(this, debugPinSet(this, pins.pins.hosts, R.raw.mitmproxy))
 * ```
 *
 * It switches nothing off. A client with it accepts, for these hosts and what is below them, what
 * the given authorities have issued, and nothing else: not the servers' own certificates either, so
 * that it is never mistaken for the app's real client. Host name, dates and keys are judged as
 * ever, other hosts are refused, and every other client of the app, and the updates of its pin
 * sets, are as they were.
 *
 * @param hosts Names and IP addresses, for instance those of the app's own pin set.
 * @param authorities Raw resources with certificates, in PEM or DER.
 * @throws SecurityException where the app is not debuggable.
 * @throws PinfoldException.InvalidCertificate for an authority that is none.
 * @throws PinfoldException.InvalidPinSet for a host that is none, none at all, or more than 8
 *   authorities.
 */
@JvmName("pinSet")
@Throws(PinfoldException::class)
public fun debugPinSet(
    context: Context,
    hosts: Collection<String>,
    vararg authorities: Int,
): PinSet =
    debugPinSet(
        context,
        hosts,
        authorities.map { id -> context.resources.openRawResource(id).use { it.readBytes() } },
    )

/**
 * The same with certificates from elsewhere, such as a file.
 *
 * @param authorities Certificates in PEM or DER.
 * @throws SecurityException where the app is not debuggable.
 * @throws PinfoldException.InvalidCertificate for an authority that is none.
 * @throws PinfoldException.InvalidPinSet for a host that is none, none at all, or more than 8
 *   authorities.
 */
@JvmName("pinSet")
@Throws(PinfoldException::class)
public fun debugPinSet(
    context: Context,
    hosts: Collection<String>,
    authorities: List<ByteArray>,
): PinSet {
    requireDebuggable(context)
    val certificates = authorities.mapIndexed(::read)
    return PinSet.build {
        for (name in hosts) {
            host(name, includeSubdomains = !name.isAddress()) {
                trust = Trust.PRIVATE_CA
                for (certificate in certificates) {
                    anchor(certificate.encoded)
                    // One has to have a spare, and this has none: its key, or all of it.
                    pin("sha256/${certificate.publicKey.encoded.sha256()}", at = PinAt.CA)
                    pin("cert-sha256/${certificate.encoded.sha256()}", at = PinAt.CA)
                }
            }
        }
    }
}

private fun read(
    index: Int,
    certificate: ByteArray,
): X509Certificate =
    try {
        val factory = CertificateFactory.getInstance("X.509")
        factory.generateCertificate(certificate.inputStream()) as X509Certificate
    } catch (e: CertificateException) {
        val place = "authorities[$index]"
        throw PinfoldException.InvalidCertificate("certificate, $place: ${e.message}", place)
    }

/** No name ends in a number or has a colon (RFC 1123 §2.1, RFC 4291 §2.2). */
private fun String.isAddress() =
    ':' in this || trimEnd('.').substringAfterLast('.').all { it in '0'..'9' }

private fun ByteArray.sha256() =
    Base64.encodeToString(MessageDigest.getInstance("SHA-256").digest(this), Base64.NO_WRAP)
