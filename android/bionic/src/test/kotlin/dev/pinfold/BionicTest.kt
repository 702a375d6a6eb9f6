package dev.pinfold

import dev.pinfold.internal.ClientSettings
import dev.pinfold.internal.FfiConverterOptionalTypePlatformTrust
import dev.pinfold.internal.FfiConverterTypeClientSettings
import dev.pinfold.internal.FfiConverterTypeReply
import dev.pinfold.internal.FfiConverterTypeRequestHead
import dev.pinfold.internal.PinfoldFailure
import dev.pinfold.internal.Reply
import dev.pinfold.internal.RequestHead
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource
import java.io.File
import java.nio.ByteBuffer
import dev.pinfold.internal.Roots as NativeRoots

@Target(AnnotationTarget.FUNCTION)
@ParameterizedTest
@ValueSource(strings = ["arm64-v8a", "armeabi-v7a"])
annotation class OnBothProcessors

class BionicTest {
    private val generated =
        File(System.getProperty("pinfold.bindings"), "dev/pinfold/internal/pinfold.kt").readText()

    @OnBothProcessors
    fun `the library is the one the Kotlin code was generated for`(abi: String) =
        Process(abi).use { process ->
            val functions = find("""external fun (\w+)\(""").map { (name) -> name }
            assertEquals(emptyList<String>(), functions.filterNot(process::has))

            val (version) = find("""bindings_contract_version = (\d+)""").single()
            assertEquals(version.toLong(), process.call("ffi_pinfold_uniffi_contract_version"))

            val checksums = find("""lib\.(\w+)\(\) and 0xFFFF\) != (\d+)""")
            assertTrue(checksums.size > 10)
            for ((function, checksum) in checksums) {
                assertEquals(checksum.toLong(), process.call(function) and 0xFFFF, function)
            }
        }

    @OnBothProcessors
    fun `a pin set with a mistake is refused with its place`(abi: String) =
        Process(abi).use { process ->
            val json = """{"schema": 1, "hosts": 7}"""
            val failed = assertThrows<PinfoldFailure.Failed> { process.pinSet(json) }
            assertEquals("invalid_pin_set", failed.failure.code)
            assertEquals("hosts", failed.failure.place)
        }

    @OnBothProcessors
    fun `a request by a client that is closed is answered with a typed error`(abi: String) =
        Process(abi).use { process ->
            val client = process.client()
            val id = process.method("id", client)
            process.method("close", client)

            val request = RequestHead("GET", Testkit.url("/"), emptyList(), null, false)
            val head = process.buffer(FfiConverterTypeRequestHead, request).bytes
            val output = process.memory(OUTPUT)
            val length =
                process.call(
                    "pinfold_call_execute",
                    id,
                    process.call("pinfold_call_begin"),
                    process.memory(head),
                    head.size,
                    output,
                    OUTPUT,
                )
            val bytes = ByteBuffer.wrap(output.getByteArray(0, length.toInt()))
            val reply = FfiConverterTypeReply.read(bytes)
            assertEquals("client_closed", (reply as Reply.Failed).failure.code)
        }

    private fun find(pattern: String) =
        Regex(pattern).findAll(generated).map { it.destructured }.toList()

    private fun Process.pinSet(json: String): Long {
        val bytes = json.toByteArray()
        return handle("uniffi_pinfold_fn_constructor_pinset_parse", bytes.size, memory(bytes))
    }

    private fun Process.client(): Long {
        val (pin, backup) =
            listOf("backend", "backup").map { Testkit.pin(it).removePrefix("sha256/") }
        val pins =
            pinSet(
                """{"schema": 1, "hosts": [{"host": "${Testkit.HOST}", "pins": [
                {"sha256": "$pin"}, {"sha256": "$backup", "state": "backup"}]}]}""",
            )
        val settings =
            ClientSettings(
                denyUnpinned = true,
                abortWithdrawn = false,
                roots = NativeRoots.Only(listOf(Testkit.certificate("root"))),
                connectTimeoutMs = 60_000u,
                timeoutMs = 60_000u,
                maxResponseBytes = 1_000_000u,
                maxRedirects = 0u,
                userAgent = null,
                connectTo = emptyList(),
            )
        return handle(
            "uniffi_pinfold_fn_constructor_client_new",
            pins,
            buffer(FfiConverterTypeClientSettings, settings),
            buffer(FfiConverterOptionalTypePlatformTrust, null),
        )
    }

    private fun Process.method(
        name: String,
        client: Long,
    ): Long {
        // It takes the handle that it is given.
        val clone = handle("uniffi_pinfold_fn_clone_client", client)
        return handle("uniffi_pinfold_fn_method_client_$name", clone)
    }

    private companion object {
        const val OUTPUT = 65_536
    }
}
