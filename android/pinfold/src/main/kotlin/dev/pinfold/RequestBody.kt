package dev.pinfold

import dev.pinfold.internal.BodyKind
import dev.pinfold.internal.FormPart
import dev.pinfold.internal.PartContent
import java.io.File
import java.io.OutputStream

/** What a request sends. */
internal sealed class RequestBody {
    class Bytes(
        val bytes: ByteArray,
    ) : RequestBody()

    class OfFile(
        val file: File,
    ) : RequestBody()

    /** Written while it is sent, on a thread of its own. */
    class Written(
        val length: Long?,
        val write: (OutputStream) -> Unit,
    ) : RequestBody()

    class Form(
        val parts: List<Part>,
    ) : RequestBody()

    class Part(
        val name: String,
        val fileName: String?,
        val contentType: String?,
        val content: RequestBody,
    )

    fun toKind(): BodyKind =
        when (this) {
            is Bytes -> BodyKind.Bytes
            is OfFile -> BodyKind.File(file.path.wellFormed())
            is Written -> BodyKind.Written(length?.toULong())
            is Form -> BodyKind.Form
        }

    /** What is written, in the order in which it is. */
    fun writers(): List<(OutputStream) -> Unit> =
        when (this) {
            is Written -> listOf(write)
            is Form -> parts.flatMap { it.content.writers() }
            else -> emptyList()
        }
}

internal fun RequestBody.Part.toFfi() =
    FormPart(
        name = name.wellFormed(),
        fileName = fileName?.wellFormed(),
        contentType = contentType?.wellFormed(),
        content =
            when (content) {
                is RequestBody.OfFile -> PartContent.File(content.file.path.wellFormed())
                is RequestBody.Written -> PartContent.Written(content.length?.toULong())
                else -> PartContent.Bytes
            },
    )

/**
 * The parts of a form (`multipart/form-data`, RFC 7578), in order.
 *
 * ```
 * val request = Request(Method.POST, "https://api.example.com/v1/photos") {
 *     multipart {
 *         text("caption", "Our cat")
 *         file("photo", File("cat.jpg"), contentType = "image/jpeg")
 *     }
 * }
 * ```
 *
 * Quotes, backslashes and control characters in names and file names are percent-encoded, as browsers
 * do it with most of these. A name has 1 to 1,024 bytes.
 */
@PinfoldDsl
public class MultipartBuilder internal constructor() {
    internal val parts = mutableListOf<RequestBody.Part>()

    /** Adds a field. */
    public fun text(
        name: String,
        value: String,
    ) {
        add(name, null, null, RequestBody.Bytes(value.wellFormed().encodeToByteArray()))
    }

    /** Adds bytes; with a [fileName] they are a file to the server. */
    public fun bytes(
        name: String,
        bytes: ByteArray,
        fileName: String? = null,
        contentType: String? = null,
    ) {
        add(name, fileName, contentType, RequestBody.Bytes(bytes))
    }

    /** Adds a file, which is read while it is sent. It is called as on disk, or [fileName]. */
    public fun file(
        name: String,
        file: File,
        fileName: String? = null,
        contentType: String? = null,
    ) {
        add(name, fileName, contentType, RequestBody.OfFile(file))
    }

    /**
     * Adds what [write] writes, on a thread of ours: for a `ContentResolver`'s stream, for instance.
     * Such a form is sent once at most.
     *
     * @param length How many bytes that are, where it is known.
     */
    public fun written(
        name: String,
        length: Long? = null,
        fileName: String? = null,
        contentType: String? = null,
        write: (OutputStream) -> Unit,
    ) {
        add(name, fileName, contentType, RequestBody.Written(checkedLength(length), write))
    }

    private fun add(
        name: String,
        fileName: String?,
        contentType: String?,
        content: RequestBody,
    ) {
        parts += RequestBody.Part(name, fileName, contentType, content)
    }
}

internal fun checkedLength(length: Long?): Long? {
    if (length != null && length < 0) {
        throw PinfoldException.InvalidRequest("request, body: a negative length", "body")
    }
    return length
}
