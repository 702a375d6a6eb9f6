package dev.pinfold

import java.io.File

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
        }
    for (size in listOf(30_000_000, 300_000_000)) {
        println("$size bytes: ${client.end("/bytes/$size")}")
    }
    println("a body: ${client.end("/echo", ByteArray(25_000_000))}")
    println("and then: ${client.end("/")}")
}

private fun PinnedClient.end(
    path: String,
    body: ByteArray? = null,
): Any =
    try {
        val method = if (body == null) Method.GET else Method.POST
        sendBlocking(Request(method, "https://${Testkit.HOST}$path") { body?.let { body(it) } }).status
    } catch (e: PinfoldException) {
        e.code
    }
