package dev.pinfold

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.file.Path

/** What is done first with an HTTP client takes no more lines than with OkHttp, and little memory. */
class NewcomerTest {
    @TempDir
    lateinit var folder: File

    @Test
    @Timeout(120)
    fun `all of it works under 48 MB, and as with OkHttp`() {
        folder.resolve("root.der").writeBytes(Testkit.certificate("root"))
        val ports = listOf("backend", "rotated", "self_signed").map { "${Testkit.port(it)}" }
        val pins = listOf("backend", "backup").map { Testkit.pin(it) }
        val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
        val process =
            ProcessBuilder(
                listOf(java, "-Xmx48m", "-cp", System.getProperty("java.class.path")) +
                    "dev.pinfold.NewcomerKt" + "$folder" + ports + pins,
            ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val said = process.inputReader().readLines()
        assertEquals(0, process.waitFor())
        val expected =
            listOf(
                "GET JSON: GET",
                "POST JSON: 200",
                "download: $LARGE, $LARGE",
                "upload: 200",
                "token: true",
                "cookies: true",
                "failures: [status 500, another key, not trusted, too slow, no such name, " +
                    "nobody there, broken off]",
            )
        for (way in listOf("OkHttp", "Pinfold")) {
            assertEquals(
                expected,
                said.filter { it.startsWith(way) }.map { it.removePrefix("$way: ") },
            )
        }
    }

    @Test
    fun `no row is longer than with OkHttp, and the documentation has them all`() {
        val (theirs, ours) = listOf("OkHttp", "Pinfold").map { rows("Newcomer$it.kt") }
        assertEquals(theirs.keys, ours.keys)
        assertEquals(7, ours.size)
        val document = File("../../docs/kotlin/from-okhttp.md").readText()
        for ((row, lines) in ours) {
            assertTrue(lines <= theirs.getValue(row), "$row: $lines, ${theirs[row]}")
            val line = "| $row | ${theirs[row]} | $lines |"
            assertTrue(line in document, line)
        }
    }

    /** The rows of a file, with how many lines that are not blank each has behind its signature. */
    private fun rows(file: String): Map<String, Int> {
        // Maven runs tests in the module's folder.
        val text = File("src/test/kotlin/dev/pinfold/$file").readText()
        return text.split("    // row: ").drop(1).associate { row ->
            val code = row.lines().drop(1).filter { it.isNotBlank() && it != "}" }
            // The signatures are the same, over as many lines.
            val signature =
                code.indexOfFirst {
                    it.endsWith(
                        "{",
                    ) || " = " in it || it.endsWith(" =")
                }
            row.lines().first() to code.size - signature
        }
    }
}
