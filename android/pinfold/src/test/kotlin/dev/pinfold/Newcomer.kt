package dev.pinfold

import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.File
import java.io.RandomAccessFile

/** What whoever begins with an HTTP client asks of it; [NewcomerTest] counts the lines of the answers. */
internal interface Newcomer {
    suspend fun get(url: String): JsonObject

    suspend fun post(
        url: String,
        order: Map<String, Int>,
    ): Int

    suspend fun download(
        url: String,
        to: File,
        onProgress: (Long) -> Unit,
    )

    suspend fun upload(
        url: String,
        film: File,
    ): Int

    suspend fun signedIn(
        url: String,
        tokens: TokenStore,
    ): JsonObject

    suspend fun cookies(
        first: String,
        then: String,
    ): String

    suspend fun failure(url: String): String
}

internal class TokenStore {
    fun current() = "Bearer 1"

    fun refreshed() = "Bearer 2"
}

internal const val LARGE = 50L * 1024 * 1024

/** [NewcomerTest]'s other process, of a small heap. */
fun main(arguments: Array<String>) {
    val folder = File(arguments[0])
    val (backend, rotated, selfSigned) = arguments.slice(1..3)
    val (pin, backup) = arguments.slice(4..5)
    val base = { port: String -> "https://${Testkit.HOST}:$port" }
    val root = folder.resolve("root.der").readBytes()
    val ways =
        mapOf(
            "OkHttp" to OkHttpWay(okHttp(root, pin)),
            "Pinfold" to PinfoldWay(pinfold(root, pin, backup, base(backend))),
        )
    val film = folder.resolve("film.mp4")
    RandomAccessFile(film, "rw").use { it.setLength(LARGE) }
    val cookie = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: id=7; Path=/\r\n\r\n"
    val setting = "/hex/" + cookie.encodeToByteArray().joinToString("") { "%02x".format(it) }
    val failing =
        listOf(
            "${base(backend)}/status/500",
            "${base(rotated)}/",
            "${base(selfSigned)}/",
            "${base(backend)}/hang",
            "https://nowhere.invalid/",
            "${base("1")}/",
            "${base(backend)}/reset",
        )
    for ((name, way) in ways) {
        val said = { row: String, what: Any -> println("$name: $row: $what") }
        runBlocking {
            val to = folder.resolve(name)
            var last = 0L
            said(
                "GET JSON",
                way
                    .get("${base(backend)}/echo")
                    .getValue("method")
                    .jsonPrimitive.content,
            )
            said("POST JSON", way.post("${base(backend)}/echo", mapOf("item" to 7)))
            way.download("${base(backend)}/bytes/$LARGE", to) { last = it }
            said("download", "${to.length()}, $last")
            said("upload", way.upload("${base(backend)}/sink", film))
            val signedIn = way.signedIn("${base(backend)}/guarded/2", TokenStore())
            said("token", "accept-language" in "$signedIn".lowercase())
            val echo = way.cookies("${base(backend)}$setting", "${base(backend)}/echo")
            said("cookies", "id=7" in echo)
            said("failures", failing.map { way.failure(it) })
        }
    }
}
