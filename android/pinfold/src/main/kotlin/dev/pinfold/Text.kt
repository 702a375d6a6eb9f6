package dev.pinfold

import java.net.URI

/**
 * The text with NUL for each lone surrogate, of which Rust's strings have none: NUL is refused
 * wherever it matters, with an error that names the place.
 */
internal fun String.wellFormed(): String {
    if (none { it.isSurrogate() }) return this
    val text = StringBuilder(this)
    var i = 0
    while (i < length) {
        val isPair =
            this[i].isHighSurrogate() && getOrNull(i + 1)?.isLowSurrogate() == true
        if (!isPair && this[i].isSurrogate()) text[i] = '\u0000'
        i += if (isPair) 2 else 1
    }
    return text.toString()
}

/** Scheme, host and path of what may not even be a URL, at most 200 characters of it. */
internal fun String.withoutSecrets(): String {
    val shown = substringBefore('?').substringBefore('#')
    val scheme = SCHEME.find(shown)?.value.orEmpty()
    val rest = shown.drop(scheme.length)
    val authority = rest.takeWhile { it != '/' && it != '\\' }
    val path = rest.drop(authority.length)
    return (scheme + authority.substringAfterLast('@') + path).take(MAX_SHOWN)
}

/** The host of what may not even be a URL; then nothing. */
internal fun String.host(): String = runCatching { URI(this).host }.getOrNull().orEmpty()

private val SCHEME = Regex("^([A-Za-z][A-Za-z0-9+.-]*:)?//")
private const val MAX_SHOWN = 200
