package dev.pinfold

import dev.pinfold.internal.Evidence
import dev.pinfold.internal.Failure
import dev.pinfold.internal.Interception
import dev.pinfold.internal.ensureInitialized
import dev.pinfold.internal.errorCodes
import dev.pinfold.internal.interceptionKinds
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.ObjectOutputStream

class ErrorCodesTest {
    init {
        // As everything public does, before it uses the library.
        ensureInitialized()
    }

    @Test
    fun `every code has a class that gives it back`() {
        assertEquals(43, errorCodes().size)
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
        val refusals = setOf("blocked_key", "pin_mismatch", "pin_set_lapsed")
        for (code in errorCodes()) {
            val error = failure(code).toException()
            val isRefused = code in refusals || code.startsWith("certificate_")
            assertEquals(if (isRefused) "host" else null, error.certificate?.host, code)
            val isReported = isRefused || code == "tls_failed"
            assertEquals(if (isReported) "expired" else null, error.interception?.kind?.code, code)
        }
    }

    @Test
    fun `every kind of interception has its value`() {
        val kinds = InterceptionReport.Kind.entries.map { it.code }
        assertEquals(interceptionKinds().toSet(), kinds.toSet())
        for (kind in kinds) {
            val report = interception(kind, "certain").toPublic()!!
            assertEquals(kind, report.kind.code)
            assertEquals(InterceptionReport.Confidence.CERTAIN, report.confidence)
            assertEquals("what to do", report.message)
            assertEquals("[Evidence(code=public, text=seen)]", report.evidence.toString())
        }
    }

    @Test
    fun `a kind from the future is no report`() {
        assertNull(interception("new", "certain").toPublic())
        assertNull(interception("expired", "new").toPublic())
        val error = failure("pin_mismatch", interception("new", "certain")).toException()
        assertNull(error.interception)
        assertEquals("host", error.certificate?.host)
    }

    @Test
    fun `errors can be serialised, as every IOException can`() {
        val stream = ObjectOutputStream(ByteArrayOutputStream())
        errorCodes().forEach { stream.writeObject(failure(it).toException()) }
    }

    private fun failure(
        code: String,
        interception: Interception? = interception("expired", "likely"),
    ) = Failure(
        code = code,
        message = "what happened",
        host = "host",
        place = "place",
        rule = null,
        presentedPin = null,
        expectedPins = emptyList(),
        subject = null,
        issuer = null,
        pinSetVersion = null,
        proxy = null,
        proxyStatus = null,
        interception = interception,
    )

    private fun interception(
        kind: String,
        confidence: String,
    ) = Interception(
        kind = kind,
        confidence = confidence,
        product = null,
        authority = null,
        evidence = listOf(Evidence("public", "seen")),
        mend = null,
        message = "what to do",
    )
}
