package dev.pinfold

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import kotlin.time.Duration.Companion.seconds

/** The samples of the documentation, so that they compile and, where testkit has the host, run. */
class ReadmeTest {
    @Suppress("unused") // Its host is nobody's: that it compiles is enough.
    private suspend fun readme(json: String) {
        val client = PinnedClient(PinSet.parse(json))
        val response = client.get("https://api.example.com/v1/me")
        println(response.text())
    }

    @Suppress("unused") // Likewise.
    private suspend fun updates(
        embedded: ByteArray,
        noBackupFilesDir: File,
    ) {
        val updater =
            PinSetUpdater(embedded) {
                directory = noBackupFilesDir.resolve("pinfold")
                onEvent = { event -> println("pins: $event") }
            }
        val client = PinnedClient(updater)
        val response = client.get("https://api.example.com/v1/me")
        println("${response.status} under pin set ${updater.status().order.pinset}")

        val status = updater.status()
        println("pin set ${status.order.pinset}, ${status.freshness}, expires ${status.expires}")
        println("last checked ${status.checked ?: "never"}, next in ${status.nextDue}")
        status.lastError?.let { println("the last attempt failed: ${it.code} ${it.message}") }
    }

    @Suppress("unused") // Likewise.
    fun report(event: UpdateEvent) =
        when (event) {
            is UpdateEvent.Rejected -> println("refused: ${event.error.code} from ${event.url}")
            is UpdateEvent.Inspected -> println("${event.host} is inspected by ${event.authority}")
            UpdateEvent.Stale, is UpdateEvent.Lapsed -> println("the pin set needs renewal: $event")
            else -> Unit
        }

    @Test
    fun `every sample of the documentation is in a file that is compiled`() {
        // Maven runs tests in the module's folder.
        val code =
            listOf(
                "src/test/kotlin/dev/pinfold/ReadmeTest.kt",
                "src/test/kotlin/dev/pinfold/Guide.kt",
                "../robolectric/src/test/kotlin/com/example/bank/Samples.kt",
                "../work/src/test/kotlin/dev/pinfold/work/Samples.kt",
            ).map { lines(File(it).readText()) }
        val blocks =
            listOf(File("../../README.md"), File("../../docs/pin-sets.md"))
                .plus(checkNotNull(File("../../docs/kotlin").listFiles()))
                .flatMap { document ->
                    val parts = document.readText().split("```kotlin\n")
                    parts.drop(1).map { it.substringBefore("```") }
                }
        assertTrue(blocks.size > 20)
        for (block in blocks) assertTrue(code.any { it.contains(lines(block)) }, block)
    }

    @Test
    suspend fun `a pinned GET in a few lines`() {
        val json =
            """
            {
              "schema": 1,
              "version": 3,
              "hosts": [{
                "host": "${Testkit.HOST}",
                "pins": [
                  { "sha256": "${Testkit.pin("intermediate").removePrefix("sha256/")}" },
                  { "sha256": "${Testkit.pin("backup").removePrefix("sha256/")}" }
                ]
              }]
            }
            """.trimIndent()

        val client = PinnedClient(PinSet.parse(json)) { onTestkit() }
        val response = client.get("https://api.example.test/")
        println(response.text())

        assertEquals("ok", response.text())
        client.close()
    }

    @Test
    suspend fun `pins in code, a POST, and what to do with a failure`() {
        val key = "s3cret"
        val pins =
            PinSet.build {
                version = 3
                host("api.example.test", includeSubdomains = true) {
                    pin(Testkit.pin("backend"), at = PinAt.LEAF)
                    backup(Testkit.pin("backup"))
                }
            }
        assertEquals("PinSet(version=3, hosts=[api.example.test])", pins.toString())
        PinnedClient(pins) { onTestkit() }.use { client ->
            try {
                val response =
                    client.post("https://api.example.test/echo") {
                        body("""{"item":7}""", contentType = "application/json")
                        sensitiveHeader("X-Api-Key", key)
                        timeout = 5.seconds
                    }
                assertEquals(200, response.status)
            } catch (e: PinfoldException.PinMismatch) {
                println("somebody is in the middle: ${e.certificate.issuer}")
            } catch (e: PinfoldException.Timeout) {
                println("try again later")
            }
        }
    }

    /** The text without indentation and empty lines, and with a line break on both ends. */
    private fun lines(text: String) =
        text
            .lines()
            .map { it.trim() }
            .filter { it.isNotEmpty() }
            .joinToString("\n", prefix = "\n", postfix = "\n")

    private fun ClientConfig.onTestkit() {
        roots = Roots.Only(listOf(Testkit.certificate("root")))
        connectTo(Testkit.HOST, 443, "127.0.0.1:${Testkit.port("backend")}")
    }
}
