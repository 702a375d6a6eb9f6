package dev.pinfold

/**
 * How far a body has come.
 *
 * @property done How many bytes have been sent or received.
 * @property total How many there are, where that is known.
 */
public class Progress(
    public val done: Long,
    public val total: Long?,
) {
    override fun equals(other: Any?): Boolean =
        other is Progress && done == other.done && total == other.total

    override fun hashCode(): Int = done.hashCode()

    override fun toString(): String = "$done of ${total ?: "?"}"
}
