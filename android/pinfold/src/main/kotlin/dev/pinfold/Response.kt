package dev.pinfold

/**
 * The answer to a request, its body decoded and complete. Every status is a response; none is an
 * error.
 *
 * @property status The status code (RFC 9110 §15).
 * @property url Where it came from: the URL of the last redirect followed.
 * @property headers The headers in the order received, names in lower case, values in UTF-8 with
 *   U+FFFD for what is not.
 * @property body The body's bytes, after gzip.
 * @property pinning What was decided about the connection's certificate.
 */
public class Response(
    public val status: Int,
    public val url: String,
    public val headers: List<Header>,
    public val body: ByteArray,
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

    /**
     * The body's characters, with U+FFFD for what is none: by its byte order mark, else by the charset
     * of its `Content-Type`, else in UTF-8.
     */
    public fun text(): String = textOf(body, header("Content-Type"))

    /** Without query, header values and body: those may be secret. */
    override fun toString(): String =
        "Response($status ${url.withoutSecrets()}, headers=${headers.map { it.name }}, " +
            "bodyBytes=${body.size}, pinning=$pinning)"
}
