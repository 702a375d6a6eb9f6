package dev.pinfold

import dev.pinfold.internal.PinSet as FfiPinSet

/**
 * Which certificates are accepted for which hosts. Immutable; there is nothing to close.
 *
 * ```
 * val pins = PinSet.build {
 *     host("api.example.com") {
 *         pin("sha256/r/mIkG3eEpVdm+u/ko/cwxzOMo1bk4TyHIlByibiA5E=", at = PinAt.CA)
 *         backup("sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=")
 *     }
 * }
 * ```
 */
public class PinSet internal constructor(
    internal val native: FfiPinSet,
) {
    /** The pin set's own version, where it has one. */
    public val version: Long? by lazy(LazyThreadSafetyMode.PUBLICATION) {
        native.version()?.toLong()
    }

    /** The hosts of its entries, in the order written, in lower-case A-labels (RFC 5890). */
    public val hosts: List<String> by lazy(LazyThreadSafetyMode.PUBLICATION) { native.hosts() }

    /** Version and hosts. */
    override fun toString(): String = "PinSet(version=$version, hosts=$hosts)"

    /** Reads and builds pin sets. */
    public companion object {
        /**
         * Reads the JSON of a static pin set, strictly: unknown members, duplicate keys and
         * anything behind the document are errors.
         *
         * @throws PinfoldException.InvalidPinSet names the place and what is wrong there.
         */
        @JvmStatic
        @Throws(PinfoldException::class)
        public fun parse(json: String): PinSet {
            // In UTF-8 it is not shorter.
            checkPinSetSize(json.length)
            return parse(json.wellFormed().encodeToByteArray())
        }

        /**
         * Reads the JSON of a static pin set, in UTF-8.
         *
         * @throws PinfoldException.InvalidPinSet names the place and what is wrong there.
         */
        @JvmStatic
        @Throws(PinfoldException::class)
        public fun parse(json: ByteArray): PinSet {
            checkPinSetSize(json.size)
            return PinSet(translated { withDirectBuffer(json) { FfiPinSet.parse(it) } })
        }

        /**
         * Checks a pin set that is put together in code.
         *
         * @throws PinfoldException.InvalidPinSet names the place as it would be in JSON, such as
         *   `hosts[0].pins[1].sha256`.
         */
        @JvmStatic
        @Throws(PinfoldException::class)
        public fun build(configure: PinSetBuilder.() -> Unit): PinSet {
            val spec = PinSetBuilder().apply(configure).spec()
            return PinSet(translated { FfiPinSet.build(spec) })
        }
    }
}
