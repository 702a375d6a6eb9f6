package dev.pinfold

import java.nio.charset.Charset

/**
 * The text of a body: by its byte order mark, else by the charset of its `Content-Type`, else in
 * UTF-8. So does OkHttp.
 */
internal fun textOf(
    body: ByteArray,
    contentType: String?,
): String {
    val mark = MARKS.firstOrNull { body.startsWith(it.bytes) }
    val charset = mark?.charset ?: contentType?.let(::charsetOf) ?: Charsets.UTF_8
    val begin = mark?.bytes?.size ?: 0
    return String(body, begin, body.size - begin, charset)
}

/** Null where there is none, and for one that this machine does not know. */
private fun charsetOf(contentType: String): Charset? {
    val parameters = contentType.split(';').drop(1).map { it.split('=', limit = 2) }
    val value =
        parameters
            .firstOrNull { it.size == 2 && it[0].trim().equals("charset", ignoreCase = true) }
            ?.get(1) ?: return null
    return try {
        Charset.forName(value.trim().trim('"', '\''))
    } catch (_: IllegalArgumentException) {
        null
    }
}

private fun ByteArray.startsWith(mark: ByteArray) =
    size >= mark.size && mark.indices.all { this[it] == mark[it] }

private class Mark(
    val charset: Charset,
    vararg bytes: Int,
) {
    val bytes = ByteArray(bytes.size) { bytes[it].toByte() }
}

/** Unicode 16 §23.8; that of UTF-32LE begins as that of UTF-16LE does. */
private val MARKS =
    listOf(
        Mark(Charsets.UTF_8, 0xEF, 0xBB, 0xBF),
        Mark(Charsets.UTF_32LE, 0xFF, 0xFE, 0, 0),
        Mark(Charsets.UTF_16LE, 0xFF, 0xFE),
        Mark(Charsets.UTF_16BE, 0xFE, 0xFF),
        Mark(Charsets.UTF_32BE, 0, 0, 0xFE, 0xFF),
    )
