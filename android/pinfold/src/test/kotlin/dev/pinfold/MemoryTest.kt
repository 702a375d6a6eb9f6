package dev.pinfold

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Path
import kotlin.io.path.writeBytes

/** What does not fit into the heap, in a process whose heap is small. */
class MemoryTest {
    @Test
    fun `a response or a request larger than the memory left is one of the closed set of errors`(
        @TempDir folder: Path,
    ) {
        val root = folder.resolve("root.der").apply { writeBytes(Testkit.certificate("root")) }
        val pins = listOf("intermediate", "backup").map { Testkit.pin(it) }
        val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
        val arguments = listOf("$root", "${Testkit.port("backend")}") + pins
        val small =
            ProcessBuilder(
                // Buffers for native code are allocated beside the heap, up to a limit of their own.
                listOf(java, "-Xmx32m", "-XX:MaxDirectMemorySize=8m") +
                    listOf("-cp", System.getProperty("java.class.path")) +
                    "dev.pinfold.SmallHeapKt" + arguments,
            ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val said = small.inputReader().readText()
        assertEquals(0, small.waitFor())
        assertEquals(
            """
            30000000 bytes: response_too_large
            40000000 bytes: response_too_large
            a body: invalid_request
            and then: 200
            """.trimIndent(),
            said.trim(),
        )
    }
}
