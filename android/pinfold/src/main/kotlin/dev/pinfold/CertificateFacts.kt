package dev.pinfold

import java.io.Serializable

/**
 * What a support desk needs to see about a refused certificate. Nothing here is secret: pins and
 * names of a server are public.
 *
 * @property host The host asked for.
 * @property rule The pin set's entry that applied, or none.
 * @property presentedPin The pin (RFC 7469 §2.4) of the end-entity certificate that the server
 *   presented, where it could be read.
 * @property expectedPins The pins that would have been accepted.
 * @property subject The subject of that certificate.
 * @property issuer Who issued it: the first thing to look at when somebody is in the middle.
 * @property pinSetVersion The version of the pin set, where it has one.
 * @property interception Who is probably in the middle, where something speaks for anybody.
 * @property proxy The URL of the proxy that the connection went through, or that presented the
 *   certificate itself where it is [host]; without user and password.
 */
public class CertificateFacts(
    public val host: String,
    public val rule: String? = null,
    public val presentedPin: String? = null,
    public val expectedPins: List<String> = emptyList(),
    public val subject: String? = null,
    public val issuer: String? = null,
    public val pinSetVersion: Long? = null,
    public val interception: InterceptionReport? = null,
    public val proxy: String? = null,
) : Serializable {
    /** Every fact, for a log. */
    override fun toString(): String =
        "CertificateFacts(host=$host, rule=$rule, presentedPin=$presentedPin, " +
            "expectedPins=$expectedPins, subject=$subject, issuer=$issuer, " +
            "pinSetVersion=$pinSetVersion, interception=$interception, proxy=$proxy)"

    private companion object {
        const val serialVersionUID = 1L
    }
}
