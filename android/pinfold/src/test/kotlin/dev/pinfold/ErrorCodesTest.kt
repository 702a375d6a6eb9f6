package dev.pinfold

import dev.pinfold.internal.Failure
import dev.pinfold.internal.errorCodes
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.ObjectOutputStream

class ErrorCodesTest {
    @Test
    fun `every code has a class that gives it back`() {
        assertEquals(27, errorCodes().size)
        for (code in errorCodes()) {
            val error: IOException = failure(code).toException()
            assertEquals(code, (error as PinfoldException).code)
            assertEquals("what happened", error.message)
        }
    }

    @Test
    fun `every class stands for a code that exists`() {
        val classes = errorCodes().map { failure(it).toException()::class }.toSet()
        val sealed = PinfoldException::class.sealedSubclasses
        val leaves = sealed.flatMap { it.sealedSubclasses.ifEmpty { listOf(it) } }
        assertEquals(leaves.toSet(), classes)
    }

    @Test
    fun `a code from the future is an internal error that names it`() {
        val error = assertInstanceOf<PinfoldException.Internal>(failure("new").toException())
        assertTrue(error.message.contains("new") && error.message.contains("what happened"))
    }

    @Test
    fun `the facts about a refused certificate can be read without a cast`() {
        for (code in errorCodes()) {
            val error = failure(code).toException()
            val isRefused = code == "pin_mismatch" || code.startsWith("certificate_")
            assertEquals(if (isRefused) "host" else null, error.certificate?.host, code)
        }
    }

    @Test
    fun `errors can be serialised, as every IOException can`() {
        val stream = ObjectOutputStream(ByteArrayOutputStream())
        errorCodes().forEach { stream.writeObject(failure(it).toException()) }
    }

    private fun failure(code: String) =
        Failure(code, "what happened", "host", "place", null, null, emptyList(), null, null, null)
}
