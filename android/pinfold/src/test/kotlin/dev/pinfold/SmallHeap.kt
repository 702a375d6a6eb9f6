package dev.pinfold

import java.io.File
import kotlin.time.Duration.Companion.seconds

/** [MemoryTest]'s other process. */
fun main(arguments: Array<String>) {
    val (root, port, pin, backup) = arguments
    val pins =
        PinSet.build {
            host(Testkit.HOST) {
                pin(pin)
                backup(backup)
            }
        }
    val client =
        PinnedClient(pins) {
            roots = Roots.Only(listOf(File(root).readBytes()))
            connectTo(Testkit.HOST, 443, "127.0.0.1:$port")
            maxResponseBytes = 1L shl 30
            timeout = 60.seconds
            readTimeout = 60.seconds
        }
    for (size in listOf(30_000_000, 40_000_000)) {
        println("$size bytes: ${client.end("/bytes/$size")}")
    }
    println("a body: ${client.end("/echo", ByteArray(10_000_000))}")
    println("and then: ${client.end("/")}")
}

private fun PinnedClient.end(
    path: String,
    body: ByteArray? = null,
): Any =
    try {
        val method = if (body == null) Method.GET else Method.POST
        val request = Request(method, "https://${Testkit.HOST}$path") { body?.let(::body) }
        sendBlocking(request).status
    } catch (e: PinfoldException) {
        e.code
    }
