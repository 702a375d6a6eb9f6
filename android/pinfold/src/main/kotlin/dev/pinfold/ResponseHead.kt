package dev.pinfold

/**
 * All of an answer but its body. Every status is a response; none is an error.
 *
 * @property status The status code (RFC 9110 §15).
 * @property url Where it came from: the URL of the last redirect followed.
 * @property headers The headers in the order received, names in lower case, values in UTF-8 with
 *   U+FFFD for what is not.
 * @property pinning What was decided about the connection's certificate.
 */
public abstract class ResponseHead internal constructor(
    public val status: Int,
    public val url: String,
    public val headers: List<Header>,
    public val pinning: Pinning,
) {
    /** Whether the status is 2xx. */
    public val isSuccessful: Boolean get() = status in 200..299

    /** The first value of the header [name], in any case. */
    public fun header(name: String): String? =
        headers.firstOrNull { it.name.equals(name, ignoreCase = true) }?.value

    /** Every value of the header [name], in any case. */
    public fun headers(name: String): List<String> =
        headers.filter { it.name.equals(name, ignoreCase = true) }.map { it.value }
}
