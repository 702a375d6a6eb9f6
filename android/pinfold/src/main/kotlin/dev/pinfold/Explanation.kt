package dev.pinfold

import dev.pinfold.PinfoldException.Untrusted
import kotlin.time.Instant

/**
 * Why a connection to a host that presents a certificate chain would be used or refused; see
 * [PinnedClient.explain].
 *
 * @property host The host in canonical form.
 * @property at When, to the second.
 * @property isAllowed Whether a client would use the connection.
 * @property verdict How the certificate stands to the pin set. Where it is not trusted, only the
 *   end-entity was compared.
 * @property distrust Why it is not trusted; null where it is.
 * @property policy The pin set's entry that holds, if any.
 * @property paths Every path that was tried, the one that counts last. A path that is not verified
 *   is the end-entity alone.
 * @property match The pin that matched.
 * @property error What a request would throw.
 * @property interception Who is probably in the middle, where something speaks for anybody.
 * @property json The whole as JSON, as `pinfold evaluate --json` prints it.
 */
public class Explanation(
    public val host: String,
    public val at: Instant,
    public val isAllowed: Boolean,
    public val verdict: Verdict,
    public val distrust: Untrusted.Reason?,
    public val policy: Policy?,
    public val paths: List<Path>,
    public val match: Match?,
    public val error: PinfoldException?,
    public val interception: InterceptionReport?,
    public val json: String,
) {
    /** How a certificate stands to the pin set. */
    public enum class Verdict {
        /** The pin set blocks a key on every valid path. */
        BLOCKED_KEY,

        /** No pin is on any valid path, but an authority that may inspect the connection is. */
        INSPECTED,

        /** The entry's time is over. */
        LAPSED,

        /** A pin is on the path. */
        MATCH,

        /** No pin is on any valid path. */
        NO_MATCH,

        /** The pin set says nothing about the host. */
        NOT_PINNED,

        /** The entry switches pinning off. */
        OFF,
    }

    /**
     * The entry of the pin set that holds for the host.
     *
     * @property host The entry's host.
     * @property isExact Whether that is the host asked for; else it is the nearest parent whose
     *   entry includes its subdomains.
     * @property mode What to do when no pin matches.
     * @property trust What makes a certificate trusted before pins are looked at.
     * @property expires When the entry lapses, if ever.
     * @property pins The entry's pins.
     */
    public data class Policy(
        public val host: String,
        public val isExact: Boolean,
        public val mode: Mode,
        public val trust: Trust,
        public val expires: Instant?,
        public val pins: List<Pin>,
    )

    /**
     * A pin of an entry.
     *
     * @property pin The pin.
     * @property at Where on the verified path it may match.
     * @property state Where in its life it is.
     * @property label For people.
     */
    public data class Pin(
        public val pin: String,
        public val at: PinAt,
        public val state: PinState,
        public val label: String?,
    )

    /**
     * A certificate path that was tried.
     *
     * @property certificates Its certificates, the end-entity first.
     * @property fate What became of it.
     */
    public data class Path(
        public val certificates: List<Certificate>,
        public val fate: Fate,
    )

    /**
     * A certificate of a path.
     *
     * @property pin The pin of its key, `sha256/…`.
     * @property subject Its subject's common name and organisation.
     */
    public data class Certificate(
        public val pin: String,
        public val subject: String?,
    )

    /** How a path stands to the pin set. */
    public enum class Fate {
        /** It is valid, and nothing more was asked of it. */
        ACCEPTED,

        /** A key on it is blocked. */
        BLOCKED,

        /** A pin is on it. */
        MATCH,

        /** It is valid, but no pin is on it. */
        NO_PIN,
    }

    /**
     * The pin that matched.
     *
     * @property pin The pin.
     * @property at Where it was found: [PinAt.LEAF] or [PinAt.CA].
     * @property subject The subject of the certificate that it is of.
     * @property depth That certificate's position in the path; 0 is the end-entity.
     * @property state What the pin set says of it.
     */
    public data class Match(
        public val pin: String,
        public val at: PinAt,
        public val subject: String?,
        public val depth: Int,
        public val state: PinState,
    )

    /** The whole as JSON. */
    override fun toString(): String = json
}
