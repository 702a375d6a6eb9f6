package dev.pinfold

import java.io.IOException

/**
 * Why no update came. The pin set in force stays, and its [PinSetUpdater] tries again by itself.
 *
 * @property reason What to act on.
 * @property message What happened, for a log; never empty.
 * @property place Where in the document the fault is, such as `hosts[0].pins[1].sha256`, where a
 *   document was refused.
 */
public class PinSetUpdateException(
    public val reason: Reason,
    override val message: String,
    public val place: String? = null,
) : IOException(message) {
    /** The stable code: lower case, never renamed, the same in every language. */
    public val code: String get() = reason.code

    /**
     * Why no update came.
     *
     * @property code The stable code.
     */
    public enum class Reason(
        public val code: String,
    ) {
        /** The document is for other apps. */
        AUDIENCE("audience"),

        /** The root does not let its signers say so. */
        CONSTRAINTS("constraints"),

        /** The document belongs to another epoch than the root. */
        EPOCH("epoch"),

        /** The version in use again, with other contents: somebody shows different truths. */
        EQUIVOCATION("equivocation"),

        /** The document would outlive its end for longer than allowed. */
        GRACE("grace"),

        /** A bug in Pinfold, caught before it could do harm. Please report it. */
        INTERNAL("internal"),

        /** What came is not in the form of such a document. */
        MALFORMED("malformed"),

        /** The document is older than the one in use. */
        ROLLBACK("rollback"),

        /** The document belongs to another series. */
        STREAM("stream"),

        /** Too few of the keys that count have signed it. */
        THRESHOLD("threshold"),

        /** Issued before the one in use, although its version is not lower. */
        TIME_ROLLBACK("time_rollback"),

        /** What came is larger than any honest document. */
        TOO_LARGE("too_large"),

        /** A document of another type than its place asks for. */
        TYPE("type"),

        /** No URL gave a document; the message is about the last one. */
        UNAVAILABLE("unavailable"),

        /** The document needs a newer version of this library. */
        UNSUPPORTED("unsupported"),

        /** The validity is empty, longer than allowed, or longer than the root's. */
        WINDOW("window"),
    }
}
