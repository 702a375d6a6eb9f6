package dev.pinfold

import java.io.Serializable

/**
 * Who is probably in the middle, or what else is wrong, and why that is believed.
 *
 * It decides nothing: a refused connection stays refused whatever is said here, and whoever made
 * the certificate can have forged all of it. It tells the app's user what to do, and the support
 * desk the app's own rotation from the user's antivirus.
 *
 * Show [message], or a translation of your own by the kind's code:
 *
 * ```
 * try {
 *     client.get("https://api.example.com/v1/me")
 * } catch (e: PinfoldException) {
 *     val report = e.interception ?: throw e
 *     show(translations[report.kind.code]?.format(report.product) ?: report.message)
 * }
 * ```
 *
 * @property kind What it probably is.
 * @property confidence How well the evidence supports that.
 * @property product The product, where its name was recognised: the one argument of a translation.
 * @property authority The authority that issued the certificate, as it calls itself.
 * @property evidence What speaks for it.
 * @property message A sentence in English for the app's user: what is wrong, and what to do.
 * @property mend What the server's owner can do about [Kind.SERVER_MISCONFIGURED]: a sentence in
 *   English for the support desk, not for the user.
 */
public class InterceptionReport(
    public val kind: Kind,
    public val confidence: Confidence,
    public val product: String? = null,
    public val authority: String? = null,
    public val evidence: List<Evidence> = emptyList(),
    public val message: String,
    public val mend: String? = null,
) : Serializable {
    /** What is probably between the app and its server, or wrong with one of them. */
    public enum class Kind {
        /** Antivirus or parental control software on this device. */
        ANTIVIRUS,

        /** A network that wants a login first. */
        CAPTIVE_PORTAL,

        /** A developer's proxy, such as mitmproxy or Charles. */
        DEBUGGING_PROXY,

        /** The server's certificate has expired. */
        EXPIRED,

        /** A company's gateway that inspects traffic. */
        INSPECTION_PRODUCT,

        /** An authority that the user or administrator of the device has added. */
        LOCAL_AUTHORITY,

        /**
         * An authority that is trusted anyhow, with a key that is not pinned: a rotation that the
         * pin set does not know of, or a certificate that should not exist.
         */
        ROTATED_OR_MISISSUED,

        /** The server itself: what it presents is wrong, and its owner can [mend] it. */
        SERVER_MISCONFIGURED,

        /** Somebody whom neither the device nor Pinfold knows. */
        UNKNOWN_AUTHORITY,

        /** The device's clock is wrong. */
        WRONG_CLOCK,

        /** The certificate is another host's. */
        WRONG_NAME,

        ;

        /** The stable code, for logs and as the key of a translation. */
        public val code: String = name.lowercase()
    }

    /** How well the evidence supports a [Kind]. */
    public enum class Confidence {
        /** Nothing speaks against it, little for it. */
        POSSIBLE,

        /** What is usually behind such evidence. */
        LIKELY,

        /** There is no other explanation. */
        CERTAIN,

        ;

        /** The stable code. */
        public val code: String = name.lowercase()
    }

    /**
     * One observation.
     *
     * @property code The stable code, such as `self_signed`.
     * @property text What was seen, in English.
     */
    public data class Evidence(
        public val code: String,
        public val text: String,
    ) : Serializable

    /** Everything but [message], for a log. */
    override fun toString(): String =
        "InterceptionReport(kind=${kind.code}, confidence=${confidence.code}, " +
            "product=$product, authority=$authority, evidence=$evidence, mend=$mend)"

    private companion object {
        const val serialVersionUID = 1L
    }
}
