package dev.pinfold

/** What happens to the pin set of a [PinSetUpdater]; see [UpdaterConfig.onEvent]. */
public sealed interface UpdateEvent {
    /**
     * Another pin set is in force.
     *
     * @property order Where it stands.
     */
    public data class Updated(
        public val order: PinSetOrder,
    ) : UpdateEvent

    /**
     * A mirror has the version in force with other contents: somebody with a key that counts shows
     * different truths under one version.
     *
     * @property url Where it came from.
     */
    public data class Equivocation(
        public val url: String,
    ) : UpdateEvent

    /**
     * A document was refused.
     *
     * @property url Where it came from; null for the store.
     * @property error Why.
     */
    public data class Rejected(
        public val url: String?,
        public val error: PinSetUpdateException,
    ) : UpdateEvent

    /**
     * No URL could be had.
     *
     * @property message What the last one said.
     */
    public data class Unavailable(
        public val message: String,
    ) : UpdateEvent

    /**
     * The store could not be read or written; what is in memory is still good.
     *
     * @property message What went wrong.
     */
    public data class Store(
        public val message: String,
    ) : UpdateEvent

    /**
     * A mirror has nothing but an older document. Told once, until it has another or there is a
     * newer one in force.
     *
     * @property url Its URL.
     */
    public data class StaleMirror(
        public val url: String,
    ) : UpdateEvent

    /** The pin set has expired. It is enforced as written while another is looked for. */
    public data object Stale : UpdateEvent

    /**
     * The pin set, or the entry of one host, has been stale for as long as it may: after one more
     * attempt at an update, its `on_lapse` decides.
     *
     * @property host The entry whose own time is over; null for the whole pin set.
     */
    public data class Lapsed(
        public val host: String?,
    ) : UpdateEvent

    /**
     * A connection was allowed because the owner of the pins and the device's management both name
     * the authority that inspects it. Told once for each host and authority.
     *
     * @property host The host of the request.
     * @property authority The authority's id.
     */
    public data class Inspected(
        public val host: String,
        public val authority: String,
    ) : UpdateEvent
}
