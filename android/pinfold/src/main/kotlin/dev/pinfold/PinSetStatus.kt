package dev.pinfold

import kotlin.time.Duration
import kotlin.time.Instant

/**
 * How a pin set stands; see [PinSetUpdater.status].
 *
 * @property order Its versions.
 * @property freshness How it stands to the device's clock.
 * @property issued When it was issued.
 * @property expires When it becomes [Freshness.STALE].
 * @property checked When a server last said what is newest, by the device's clock.
 * @property nextDue How long until the next regular attempt; zero where it is due.
 * @property lastError Why the last attempt failed, if it did.
 */
public data class PinSetStatus(
    public val order: PinSetOrder,
    public val freshness: Freshness,
    public val issued: Instant,
    public val expires: Instant,
    public val checked: Instant?,
    public val nextDue: Duration,
    public val lastError: PinSetUpdateException?,
)

/**
 * Where a pin set stands among those of its series.
 *
 * @property root The version of the root.
 * @property epoch The epoch of both documents.
 * @property pinset The version of the pin set.
 */
public data class PinSetOrder(
    public val root: Long,
    public val epoch: Long,
    public val pinset: Long,
)

/** How a pin set stands to the time. */
public enum class Freshness {
    /** The policy holds as written. */
    FRESH,

    /** The policy holds as written; an update is overdue. */
    STALE,

    /** After one more attempt at an update, the entry's `on_lapse` decides. */
    LAPSED,
}

/** What a refresh has come to. */
public enum class Refreshed {
    /** There is a newer pin set, and it is in force. */
    UPDATED,

    /** The one in force is the newest. */
    UNCHANGED,
}
