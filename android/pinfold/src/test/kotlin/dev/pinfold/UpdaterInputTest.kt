package dev.pinfold

import dev.pinfold.PinSetUpdateException.Reason
import dev.pinfold.internal.UpdateFailure
import dev.pinfold.internal.ensureInitialized
import dev.pinfold.internal.updateCodes
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.ObjectOutputStream

/** What an updater cannot be made of, and the codes of its errors. */
class UpdaterInputTest {
    private val app = App(1, "backend")

    @Test
    fun `an embedded file that is no good is refused at its place`() {
        val good = app.embedded.decodeToString()
        val files =
            mapOf(
                "" to "document",
                "[]" to "document",
                "\u0000" to "document",
                good + good to "document",
                " ".repeat(300_000) to "document",
                " ".repeat((1 shl 20) + 1) to "document",
                "{}" to "embedded",
                good.replace("\"embedded\":1", "\"embedded\":2") to "embedded",
                good.replace("\"stream\":\"test\"", "\"stream\":\"\"") to "stream",
                good.replace("https://", "http://") to "update_urls[0]",
            )
        for ((file, place) in files) {
            val error = refused(file.encodeToByteArray())
            assertEquals("invalid_pin_set", error.code)
            assertEquals("embedded, $place", error.place, error.message)
        }
        refused(byteArrayOf(-1, -2))
    }

    @Test
    fun `nor are documents that do not belong together, or are changed`() {
        val good = app.embedded.decodeToString()
        val signature = good.substringAfter("\"sig\":\"").substringBefore('"')
        for (file in listOf(
            good.replace("\"stream\":\"test\"", "\"stream\":\"other\""),
            good.replace("\"audience\":\"test\"", "\"audience\":\"other\""),
            good.replace(signature, signature.reversed()),
        )) {
            val error = refused(file.encodeToByteArray())
            assertTrue(error.place!!.startsWith("embedded, "), error.message)
        }
    }

    @Test
    fun `settings out of range are refused by name`() {
        for (path in listOf("", "a\u0000b", "\uD800")) {
            misconfigured("directory") { directory = File(path) }
        }
        misconfigured("connect_to[1]") { connectTo("a.example", 443, "nowhere") }
        misconfigured("connect_to[1]") { connectTo("a.example", 0, "1.2.3.4:5") }
        misconfigured("connect_to[1]") { connectTo("a.example", 65_536, "1.2.3.4:5") }
        misconfigured("connect_to") { connectTo("a b", 443, "1.2.3.4:5") }
        val error =
            assertThrows<PinfoldException.InvalidCertificate> {
                app.updater { roots = Roots.Only(listOf(byteArrayOf(1))) }
            }
        assertEquals("roots[0]", error.place)
    }

    @Test
    fun `every code has a reason, and every reason is one`() {
        ensureInitialized()
        val codes = updateCodes()
        assertEquals(15, codes.size)
        // What the library throws of its own, besides.
        assertEquals((codes + "internal").toSet(), Reason.entries.map { it.code }.toSet())
        val stream = ObjectOutputStream(ByteArrayOutputStream())
        for (code in codes) {
            val error = UpdateFailure(code, "place", "what happened").toException()
            assertEquals(code, error.code)
            assertEquals("place" to "what happened", error.place to error.message)
            stream.writeObject(error)
        }
    }

    @Test
    fun `a code from the future is an internal error that names it`() {
        val error = UpdateFailure("new", null, "what happened").toException()
        assertEquals(Reason.INTERNAL, error.reason)
        assertTrue(error.message.contains("new") && error.message.contains("what happened"))
    }

    private fun refused(embedded: ByteArray): PinfoldException.InvalidPinSet =
        assertThrows { PinSetUpdater(embedded) }

    private fun misconfigured(
        place: String,
        configure: UpdaterConfig.() -> Unit,
    ) {
        val error = assertThrows<PinfoldException.InvalidConfig>(place) { app.updater(configure) }
        assertEquals(place, error.place, error.message)
    }
}
