package dev.pinfold

import java.io.File
import kotlin.time.Instant
import dev.pinfold.internal.CookieJar as FfiCookieJar

/**
 * Keeps the cookies that servers set, and sends them back by the rules of RFC 6265bis: each to its own
 * host, path and, where its server says so, the hosts below. Clients and sessions that are given the same
 * jar share it.
 *
 * A name under which anybody can register (`co.uk`) gets none. `SameSite` says nothing here: an app's
 * requests come from no other site. A request with a `Cookie` header of its own sends that and no other.
 */
public class CookieJar private constructor(
    make: () -> FfiCookieJar,
) {
    private val opening = Opening<FfiCookieJar>({ IllegalStateException() }) { translated(make) }

    /** An empty jar in memory. */
    public constructor() : this({ FfiCookieJar() })

    /**
     * A jar whose cookies outlive the process where their server says so, in a file that nobody else may
     * read; one jar at a time has it. It is written after each change. One that is damaged is put aside
     * as `NAME.damaged`, and the jar begins empty.
     *
     * @throws PinfoldException.IoFailed where the file cannot be read; on Android's main thread, where no
     *   file is read, the first call that needs the jar throws it.
     */
    @Throws(PinfoldException::class)
    public constructor(file: File) : this({ FfiCookieJar.persistent(file.path.wellFormed()) })

    /**
     * Sets a cookie as a server at [url] would with a `Set-Cookie` field; whether it counts.
     *
     * @throws PinfoldException.InvalidUrl
     */
    @Throws(PinfoldException::class)
    public fun set(
        url: String,
        field: String,
    ): Boolean = translated { native().set(url.wellFormed(), field.wellFormed()) }

    /**
     * The `Cookie` header of a request to [url], if it has one: for a web view, for instance.
     *
     * @throws PinfoldException.InvalidUrl
     */
    @Throws(PinfoldException::class)
    public fun header(url: String): String? = translated { native().header(url.wellFormed()) }

    /** All cookies, the oldest first. */
    public fun cookies(): List<Cookie> =
        native().cookies().map {
            val expires = it.expires?.let { at -> Instant.fromEpochSeconds(at.toLong()) }
            Cookie(
                it.name,
                it.value,
                it.domain,
                it.hostOnly,
                it.path,
                expires,
                it.secure,
                it.httpOnly,
            )
        }

    /**
     * Drops all cookies, in the file, too.
     *
     * @throws PinfoldException.IoFailed
     */
    @Throws(PinfoldException::class)
    public fun clear(): Unit = translated { native().clear() }

    /**
     * Writes the file, where there is one and it is not up to date. That happens after each change by
     * itself; where it fails no request does, and the next change tries again.
     *
     * @throws PinfoldException.IoFailed
     */
    @Throws(PinfoldException::class)
    public fun save(): Unit = translated { native().save() }

    internal fun native(): FfiCookieJar = opening.open()
}

/**
 * A cookie of a [CookieJar].
 *
 * @property name Its name; empty for one without.
 * @property value Its value, which may be a secret.
 * @property domain The host that gets it.
 * @property isHostOnly Whether hosts below do not.
 * @property path Where the path of a URL begins that gets it.
 * @property expires When it ends; none for one that ends with the process.
 * @property isSecure Whether browsers would send it over TLS only, as everything is sent here.
 * @property isHttpOnly Whether browsers would hide it from scripts.
 */
public class Cookie internal constructor(
    public val name: String,
    public val value: String,
    public val domain: String,
    public val isHostOnly: Boolean,
    public val path: String,
    public val expires: Instant?,
    public val isSecure: Boolean,
    public val isHttpOnly: Boolean,
) {
    /** Without the value: that may be a secret. */
    override fun toString(): String = "Cookie($name, $domain$path)"
}
