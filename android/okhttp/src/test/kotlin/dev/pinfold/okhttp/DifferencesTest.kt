package dev.pinfold.okhttp

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.io.File

class DifferencesTest {
    @Test
    fun `every difference has its row in the documentation, and every row is one`() {
        val text = File(System.getProperty("pinfold.docs"), "adapters.md").readText()
        val rows = Regex("(?m)^\\| `([a-z-]+)` \\|").findAll(text).map { it.groupValues[1] }
        assertEquals(Difference.entries.map { it.row }, rows.toList())
    }
}
