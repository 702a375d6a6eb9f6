package dev.pinfold

/** What to do when no pin matches. */
public enum class Mode {
    /** Refuse the connection. */
    ENFORCE,

    /** Use it, and say so in [Response.pinning]. */
    REPORT_ONLY,

    /** Do not look at pins at all. */
    OFF,
}

/** What makes a certificate trusted before pins are looked at. */
public enum class Trust {
    /** The authorities of [ClientConfig.roots], and a pin. */
    SYSTEM_AND_PIN,

    /** The entry's own authorities ([HostBuilder.anchor]) and no others, and a pin. */
    PRIVATE_CA,

    /**
     * A pin of the end-entity alone, for self-signed servers. The handshake's signature, the host
     * name and the validity are still checked.
     */
    PIN_ONLY,
}

/** Where on the verified path a pin may match. */
public enum class PinAt {
    /** The end-entity certificate only. */
    LEAF,

    /** An intermediate or the root only. */
    CA,

    /** Anywhere. */
    ANY,
}

/** Where in its life a pin is. Each of them matches. */
public enum class PinState {
    /** In use. */
    ACTIVE,

    /** Kept ready, on no server yet (RFC 7469 §4.3). */
    BACKUP,

    /** On its way out: a match tells that removal would be too early. */
    RETIRING,
}

/** What was decided about the certificate of a response's connection. */
public sealed interface Pinning {
    /**
     * A pin matched.
     *
     * @property rule The pin set's entry.
     * @property pin The pin.
     * @property at Where it was found: [PinAt.LEAF] or [PinAt.CA].
     * @property state What the pin set says of it.
     */
    public data class Matched(
        public val rule: String,
        public val pin: String,
        public val at: PinAt,
        public val state: PinState,
    ) : Pinning

    /**
     * No pin matched, and the entry is [Mode.REPORT_ONLY].
     *
     * @property mismatch What [Mode.ENFORCE] would have thrown.
     */
    public data class ReportOnly(
        public val mismatch: PinfoldException.PinMismatch,
    ) : Pinning

    /**
     * No pin matched, but an authority that the pin set and the device's management both name has
     * issued the certificate; see [UpdaterConfig.managedConfiguration].
     *
     * @property rule The pin set's entry.
     * @property authority The authority's id.
     * @property mismatch What would have been thrown without consent.
     */
    public data class Inspected(
        public val rule: String,
        public val authority: String,
        public val mismatch: PinfoldException.PinMismatch,
    ) : Pinning

    /**
     * The entry is [Mode.OFF].
     *
     * @property rule The pin set's entry.
     */
    public data class Off(
        public val rule: String,
    ) : Pinning

    /**
     * The entry has expired; the authorities alone have decided.
     *
     * @property rule The pin set's entry.
     */
    public data class Lapsed(
        public val rule: String,
    ) : Pinning

    /** The pin set says nothing about the host, and [ClientConfig.denyUnpinned] is off. */
    public data object NotPinned : Pinning
}
