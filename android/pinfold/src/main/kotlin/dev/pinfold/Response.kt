package dev.pinfold

/**
 * The answer to a request, its body decoded and complete. Every status is a response; none is an
 * error.
 *
 * @property body The body's bytes, decoded.
 */
public class Response(
    status: Int,
    url: String,
    headers: List<Header>,
    public val body: ByteArray,
    pinning: Pinning,
) : ResponseHead(status, url, headers, pinning) {
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
