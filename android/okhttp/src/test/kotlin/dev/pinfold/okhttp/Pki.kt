package dev.pinfold.okhttp

import dev.pinfold.PinSet
import okhttp3.CertificatePinner
import okhttp3.tls.HandshakeCertificates
import okhttp3.tls.HeldCertificate

/** Certificates for the tests. */
object Pki {
    const val HOST = "a.test"
    const val OTHER = "b.test"
    const val UNPINNED = "c.test"

    val root: HeldCertificate =
        HeldCertificate
            .Builder()
            .certificateAuthority(0)
            .commonName("Root")
            .build()
    val stranger: HeldCertificate = HeldCertificate.Builder().certificateAuthority(0).build()
    val good: HeldCertificate = leaf(HOST, OTHER, UNPINNED)
    val rotated: HeldCertificate = leaf(HOST, OTHER, UNPINNED)
    val wrongHost: HeldCertificate = leaf("elsewhere.test")
    val expired: HeldCertificate = leaf(HOST) { validityInterval(0, 1_000) }
    val untrusted: HeldCertificate = leaf(HOST, by = stranger)
    private val backup = HeldCertificate.Builder().build()

    fun leaf(
        vararg names: String,
        by: HeldCertificate = root,
        configure: HeldCertificate.Builder.() -> Unit = {},
    ): HeldCertificate {
        val builder = HeldCertificate.Builder().signedBy(by)
        for (name in names) builder.addSubjectAlternativeName(name)
        return builder.apply(configure).build()
    }

    fun pin(of: HeldCertificate): String = CertificatePinner.pin(of.certificate)

    /** Entries for both hosts with these pins. */
    fun pins(
        vararg held: HeldCertificate = arrayOf(good),
        hosts: List<String> = listOf(HOST, OTHER),
    ): PinSet =
        PinSet.build {
            for (name in hosts) {
                host(name) {
                    for (one in held) pin(pin(one))
                    backup(pin(backup))
                }
            }
        }

    fun server(held: HeldCertificate) =
        HandshakeCertificates.Builder().heldCertificate(held).build()

    val trust: HandshakeCertificates =
        HandshakeCertificates.Builder().addTrustedCertificate(root.certificate).build()
}
