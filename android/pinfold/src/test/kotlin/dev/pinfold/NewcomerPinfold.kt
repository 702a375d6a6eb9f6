package dev.pinfold

import kotlinx.serialization.json.JsonObject
import java.io.File
import java.net.InetAddress
import java.net.UnknownHostException
import kotlin.time.Duration.Companion.seconds

internal fun pinfold(
    root: ByteArray,
    pin: String,
    backup: String,
    base: String,
): PinnedClient {
    val pins =
        PinSet.build {
            for (host in listOf(Testkit.HOST, "nowhere.invalid")) {
                host(host) {
                    pin(pin)
                    backup(backup)
                }
            }
        }
    return PinnedClient(pins) {
        roots = Roots.Only(listOf(root))
        resolver =
            Resolver { host ->
                if (host != Testkit.HOST) throw UnknownHostException(host)
                listOf(InetAddress.getByName("127.0.0.1"))
            }
        baseUrl = "$base/"
        readTimeout = 2.seconds
    }
}

internal class PinfoldWay(
    private val client: PinnedClient,
) : Newcomer {
    // row: GET JSON
    override suspend fun get(url: String): JsonObject = client.get(url).json()

    // row: POST JSON
    override suspend fun post(
        url: String,
        order: Map<String, Int>,
    ): Int = client.post(url) { json(order) }.status

    // row: 50 MB to a file, with progress
    override suspend fun download(
        url: String,
        to: File,
        onProgress: (Long) -> Unit,
    ) {
        client.download(Request(Method.GET, url), to) { onProgress(it.done) }
    }

    // row: 50 MB from a file, in a form
    override suspend fun upload(
        url: String,
        film: File,
    ): Int {
        val form: MultipartBuilder.() -> Unit = {
            text("title", "A film")
            file("film", film, contentType = "video/mp4")
        }
        return client.post(url) { multipart(form) }.status
    }

    // row: a header of every request, and a token that is refreshed
    override suspend fun signedIn(
        url: String,
        tokens: TokenStore,
    ): JsonObject {
        val own =
            client.session {
                defaultHeader("Accept-Language", "de")
                authenticator =
                    Authenticator { if (it == null) tokens.current() else tokens.refreshed() }
            }
        return own.get(url).json()
    }

    // row: cookies, in memory
    override suspend fun cookies(
        first: String,
        then: String,
    ): String {
        val own = client.session { cookies = CookieJar() }
        own.get(first)
        return own.get(then).text()
    }

    // row: every class of error
    override suspend fun failure(url: String): String =
        try {
            "status ${client.get(url).status}"
        } catch (e: PinfoldException) {
            when (e) {
                is PinfoldException.PinMismatch -> "another key"
                is PinfoldException.Untrusted -> "not trusted"
                is PinfoldException.Timeout -> "too slow"
                is PinfoldException.DnsFailed, is PinfoldException.Offline -> "no such name"
                is PinfoldException.ConnectFailed -> "nobody there"
                else -> "broken off"
            }
        }
}
