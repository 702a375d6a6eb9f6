package dev.pinfold

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.runBlocking
import java.io.File
import java.io.OutputStream
import kotlin.time.Duration

/**
 * A header field.
 *
 * @property name Its name, in any case.
 * @property value Its value.
 * @property isSensitive Whether it stays behind when a redirect leads to another origin.
 */
public class Header(
    public val name: String,
    public val value: String,
    public val isSensitive: Boolean = false,
) {
    /** The name; the value may be a secret. */
    override fun toString(): String = "$name: …"
}

/**
 * One HTTP request. It is checked when it is sent.
 *
 * ```
 * val request = Request(Method.POST, "https://api.example.com/v1/orders") {
 *     body("""{"item":7}""", contentType = "application/json")
 *     sensitiveHeader("X-Api-Key", key)
 *     timeout = 5.seconds
 * }
 * ```
 *
 * @property method The method.
 * @property url The `https` URL, without credentials: absolute, or relative to [ClientConfig.baseUrl].
 * @throws PinfoldException.InvalidRequest for a text as body that is not Unicode or over 1 GiB.
 */
public class Request(
    public val method: Method,
    public val url: String,
    configure: RequestBuilder.() -> Unit = {},
) {
    /** The headers, in the order added. */
    public val headers: List<Header>

    /** The body, where it is bytes. It is not copied: leave it alone until the answer is there. */
    public val body: ByteArray?

    internal val content: RequestBody?
    internal val onUpload: ((Progress) -> Unit)?

    /** The call's own timeout, or none where the client's holds; see [ClientConfig.timeout]. */
    public val timeout: Duration?

    /** The call's own timeout for the next bytes of the answer, or none where the client's holds. */
    public val readTimeout: Duration?

    /** The largest body of its answer, decoded, or none where the client's limit holds. */
    public val maxResponseBytes: Long?

    /** How many redirects are followed, or none where the client's number holds. */
    public val maxRedirects: Int?

    init {
        val builder = RequestBuilder().apply(configure)
        headers = builder.headers.toList()
        content = builder.body
        body = (builder.body as? RequestBody.Bytes)?.bytes
        onUpload = builder.onUpload
        maxResponseBytes = builder.maxResponseBytes
        maxRedirects = builder.maxRedirects
        timeout = builder.timeout
        readTimeout = builder.readTimeout
    }

    /** Without query, header values and body: those may be secret. */
    override fun toString(): String =
        "Request($method ${url.withoutSecrets()}, headers=${headers.map { it.name }}, " +
            "bodyBytes=${body?.size})"
}

/** What a [Request] is told. */
@PinfoldDsl
public class RequestBuilder internal constructor() {
    internal val headers = mutableListOf<Header>()
    internal var body: RequestBody? = null
    internal var onUpload: ((Progress) -> Unit)? = null

    /** Overrides [ClientConfig.timeout] for this call. */
    public var timeout: Duration? = null

    /**
     * Overrides [ClientConfig.readTimeout] for this call: up to 24 hours, 0 for none, as a long poll
     * or a slow report wants it.
     */
    public var readTimeout: Duration? = null

    /**
     * Overrides [ClientConfig.maxResponseBytes] for this call; a body that is pulled or downloaded has
     * no other limit.
     */
    public var maxResponseBytes: Long? = null

    /**
     * Overrides [ClientConfig.maxRedirects] for this call: up to 50. With 0 a redirect is a response
     * like others.
     */
    public var maxRedirects: Int? = null

    /**
     * Sets a header, in the place of those of this name: visible ASCII characters, spaces and tabs.
     * `Authorization` and `Cookie` are kept from other origins by themselves; those that frame the
     * message, such as `Host` and `Content-Length`, are the client's to set.
     */
    public fun header(
        name: String,
        value: String,
    ) {
        remove(name)
        addHeader(name, value)
    }

    /** Adds a header beside those of this name, for fields that are lists (RFC 9110 §5.3). */
    public fun addHeader(
        name: String,
        value: String,
    ) {
        headers += Header(name, value)
    }

    /** Sets a header with a secret: it stays behind when a redirect leads to another origin. */
    public fun sensitiveHeader(
        name: String,
        value: String,
    ) {
        remove(name)
        addSensitiveHeader(name, value)
    }

    /** Adds a header with a secret beside those of this name; see [sensitiveHeader]. */
    public fun addSensitiveHeader(
        name: String,
        value: String,
    ) {
        headers += Header(name, value, isSensitive = true)
    }

    private fun remove(name: String) {
        headers.removeAll { it.name.equals(name, ignoreCase = true) }
    }

    /**
     * Sets the body, at most 1 GiB; GET, HEAD and TRACE take none (RFC 9110 §9.3).
     *
     * @param contentType The `Content-Type` header to set, if any.
     */
    public fun body(
        bytes: ByteArray,
        contentType: String? = null,
    ) {
        body = RequestBody.Bytes(bytes)
        if (contentType != null) header("Content-Type", contentType)
    }

    /**
     * Sets a file as the body, read while it is sent. It may be as large as it likes and take as long as
     * it goes on: [ClientConfig.timeout] is for bodies in memory, [timeout] holds here too.
     *
     * @param contentType The `Content-Type` header to set, if any.
     */
    public fun body(
        file: File,
        contentType: String? = null,
    ) {
        body = RequestBody.OfFile(file)
        if (contentType != null) header("Content-Type", contentType)
    }

    /**
     * Sets what [write] writes as the body, on a thread of ours while it is sent, and in bounded
     * memory: `{ input.copyTo(it) }`, or with okio `{ it.sink().buffer().use { … } }`. It is sent once at
     * most: neither on another connection nor to where a redirect leads, which is the answer then.
     * What it throws is the cause of [PinfoldException.IoFailed]. Once the answer is there its writes
     * fail and its thread is interrupted.
     *
     * @param length How many bytes that are; where it is not known they are sent in chunks.
     * @param contentType The `Content-Type` header to set, if any.
     */
    public fun writtenBody(
        length: Long? = null,
        contentType: String? = null,
        write: (OutputStream) -> Unit,
    ) {
        body = RequestBody.Written(checkedLength(length), write)
        if (contentType != null) header("Content-Type", contentType)
    }

    /**
     * Sets what [pieces] emits as the body, collected on a thread of ours while it is sent; see
     * [writtenBody].
     */
    public fun body(
        pieces: Flow<ByteArray>,
        length: Long? = null,
        contentType: String? = null,
    ): Unit =
        writtenBody(length, contentType) { to ->
            runBlocking { pieces.collect { to.write(it) } }
        }

    /** Sets a form with files as the body, and its `Content-Type`. */
    public fun multipart(build: MultipartBuilder.() -> Unit) {
        body = RequestBody.Form(MultipartBuilder().apply(build).parts.toList())
    }

    /**
     * Has [listener] told several times a second, and at the end, how much of the body has been sent: in
     * the caller's coroutine, or on a thread of ours where the call blocks. After a redirect it begins
     * again.
     */
    public fun onUpload(listener: (Progress) -> Unit) {
        onUpload = listener
    }

    /**
     * Sets the body, in UTF-8 and at most 1 GiB; GET, HEAD and TRACE take none (RFC 9110 §9.3).
     *
     * @param contentType The `Content-Type` header to set, if any.
     * @throws PinfoldException.InvalidRequest where [text] has a lone surrogate or is over 1 GiB.
     */
    public fun body(
        text: String,
        contentType: String? = null,
    ) {
        // In UTF-8 it is not shorter.
        checkBodySize(text.length)
        val bytes =
            try {
                text.encodeToByteArray(throwOnInvalidSequence = true)
            } catch (_: CharacterCodingException) {
                throw PinfoldException.InvalidRequest("request, body: a lone surrogate", "body")
            }
        body(bytes, contentType)
    }
}
