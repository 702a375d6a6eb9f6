package dev.pinfold

/**
 * An HTTP method (RFC 9110 §9, RFC 5789): one of those below, or any other token, such as
 * `Method("PROPFIND")`. Methods are case-sensitive. `CONNECT` is none that an app can send.
 *
 * @property name As it is written in a request.
 */
public class Method(
    public val name: String,
) {
    override fun equals(other: Any?): Boolean = other is Method && other.name == name

    override fun hashCode(): Int = name.hashCode()

    /** The [name]. */
    override fun toString(): String = name

    public companion object {
        /** Removes the resource. */
        @JvmField
        public val DELETE: Method = Method("DELETE")

        /** Reads the resource. */
        @JvmField
        public val GET: Method = Method("GET")

        /** Reads the headers that [GET] would answer with. */
        @JvmField
        public val HEAD: Method = Method("HEAD")

        /** Asks what can be done with the resource. */
        @JvmField
        public val OPTIONS: Method = Method("OPTIONS")

        /** Changes a part of the resource. */
        @JvmField
        public val PATCH: Method = Method("PATCH")

        /** Has the resource process the body. */
        @JvmField
        public val POST: Method = Method("POST")

        /** Replaces the resource. */
        @JvmField
        public val PUT: Method = Method("PUT")
    }
}
