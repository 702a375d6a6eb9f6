package dev.pinfold

import dev.pinfold.internal.ClientSettings
import dev.pinfold.internal.ConnectTo
import dev.pinfold.internal.Explanation
import dev.pinfold.internal.FfiConverterOptionalTypeManagedConfiguration
import dev.pinfold.internal.FfiConverterOptionalTypePlatformTrust
import dev.pinfold.internal.FfiConverterOptionalTypeUpdateListener
import dev.pinfold.internal.FfiConverterSequenceByteArray
import dev.pinfold.internal.FfiConverterTypeClientSettings
import dev.pinfold.internal.FfiConverterTypeExplanation
import dev.pinfold.internal.FfiConverterTypePinSetFailure
import dev.pinfold.internal.FfiConverterTypePinSetStatus
import dev.pinfold.internal.FfiConverterTypePinfoldFailure
import dev.pinfold.internal.FfiConverterTypeRefreshed
import dev.pinfold.internal.FfiConverterTypeReply
import dev.pinfold.internal.FfiConverterTypeRequestHead
import dev.pinfold.internal.FfiConverterTypeUpdaterSettings
import dev.pinfold.internal.PinSetFailure
import dev.pinfold.internal.PinfoldFailure
import dev.pinfold.internal.Pinning
import dev.pinfold.internal.Refreshed
import dev.pinfold.internal.Reply
import dev.pinfold.internal.RequestHead
import dev.pinfold.internal.UpdaterSettings
import dev.pinfold.internal.Verdict
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource
import java.io.File
import java.nio.ByteBuffer
import java.util.Base64
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
    fun `explain tells the pin that matches, and that another one does not`(abi: String) =
        Process(abi).use { process ->
            val match = process.explain(process.client("backend"), "backend")
            assertEquals(Verdict.MATCH, match.verdict)
            assertTrue(match.allowed)
            assertEquals(Testkit.pin("backend"), match.matched?.pin)

            val mismatch = process.explain(process.client("rotated"), "backend")
            assertEquals(Verdict.NO_MATCH, mismatch.verdict)
            assertFalse(mismatch.allowed)
            assertEquals("pin_mismatch", mismatch.failure?.code)

            val expired = process.explain(process.client("expired"), "expired")
            assertEquals(Verdict.MATCH, expired.verdict)
            assertFalse(expired.allowed)
            assertEquals("certificate_expired", expired.failure?.code)
        }

    @OnBothProcessors
    fun `a request goes over TLS to the pinned key, and to no other`(abi: String) =
        Process(abi).use { process ->
            val pinned = process.execute(process.client("backend"), "/?pinned=$abi")
            val head = assertInstanceOf<Reply.Response>(pinned).head
            assertEquals(200, head.status.toInt())
            val pinning = assertInstanceOf<Pinning.Matched>(head.pinning)
            assertEquals(Testkit.pin("backend"), pinning.pin)
            Testkit.awaitRequest("/?pinned=$abi")

            val other = process.execute(process.client("rotated"), "/?other=$abi")
            val failure = assertInstanceOf<Reply.Failed>(other).failure
            assertEquals("pin_mismatch", failure.code)
            val paths = Testkit.events("backend", "request").map { it.text("path") }
            assertFalse("/?other=$abi" in paths)
        }

    @OnBothProcessors
    fun `a signed pin set is fetched and put into force, but none whose signature is damaged`(
        abi: String,
    ) = Process(abi).use { process ->
        val updater = process.updater(App(1, "backend").embedded)
        val client = process.clientOf(updater, "rotated")
        assertEquals(1, process.version(updater))

        val signed = Testkit.embed("version=2&pins=rotated", JsonObject(emptyMap()))
        App.publish(bundle(damaged(signed)))
        val failed = assertThrows<PinSetFailure.Failed> { process.refresh(updater) }
        assertEquals("threshold", failed.failure.code)
        assertEquals(1, process.version(updater))
        // The client looks once more, on a thread of its own, and does not find another.
        val refused = assertInstanceOf<Reply.Failed>(process.execute(client, "/"))
        assertEquals("pin_mismatch", refused.failure.code)

        App.publish(bundle(signed))
        assertEquals(Refreshed.UPDATED, process.refresh(updater))
        assertEquals(2, process.version(updater))
        val answered = assertInstanceOf<Reply.Response>(process.execute(client, "/"))
        val pinning = assertInstanceOf<Pinning.Matched>(answered.head.pinning)
        assertEquals(Testkit.pin("rotated"), pinning.pin)
    }

    @OnBothProcessors
    fun `an app is not built with a pin set whose signature is damaged`(abi: String) =
        Process(abi).use { process ->
            val embedded = Json.parseToJsonElement(String(App(1, "backend").embedded)).jsonObject
            val failed =
                assertThrows<PinfoldFailure.Failed> {
                    process.updater("${damaged(embedded)}".toByteArray())
                }
            assertEquals("invalid_pin_set", failed.failure.code)
        }

    @OnBothProcessors
    fun `a request by a client that is closed is answered with a typed error`(abi: String) =
        Process(abi).use { process ->
            val client = process.client("backend")
            process.method("close", client)
            val reply = process.execute(client, "/")
            assertEquals("client_closed", assertInstanceOf<Reply.Failed>(reply).failure.code)
        }

    private fun find(pattern: String) =
        Regex(pattern).findAll(generated).map { it.destructured }.toList()

    private fun Process.pinSet(json: String): Long {
        val bytes = json.toByteArray()
        return handle("uniffi_pinfold_fn_constructor_pinset_parse", bytes.size, memory(bytes))
    }

    /** A client that pins the key of [pinned] and finds [Testkit.HOST] at the backend. */
    private fun Process.client(pinned: String): Long {
        val (pin, backup) =
            listOf(pinned, "backup").map { Testkit.pin(it).removePrefix("sha256/") }
        val pins =
            pinSet(
                """{"schema": 1, "hosts": [{"host": "${Testkit.HOST}", "pins": [
                {"sha256": "$pin"}, {"sha256": "$backup", "state": "backup"}]}]}""",
            )
        return handle(
            "uniffi_pinfold_fn_constructor_client_new",
            pins,
            settings("backend"),
            buffer(FfiConverterOptionalTypePlatformTrust, null),
        )
    }

    /** A client of [updater] that finds [Testkit.HOST] at [server]. */
    private fun Process.clientOf(
        updater: Long,
        server: String,
    ): Long =
        handle(
            "uniffi_pinfold_fn_constructor_client_updated",
            handle("uniffi_pinfold_fn_clone_pinsetupdater", updater),
            settings(server),
            buffer(FfiConverterOptionalTypePlatformTrust, null),
        )

    private fun Process.settings(server: String) =
        buffer(
            FfiConverterTypeClientSettings,
            ClientSettings(
                denyUnpinned = true,
                abortWithdrawn = false,
                roots = roots,
                connectTimeoutMs = 60_000u,
                readTimeoutMs = 60_000u,
                timeoutMs = 60_000u,
                maxIdleConnections = 64u,
                maxRequests = 256u,
                maxRequestsPerHost = 128u,
                maxResponseBytes = 1_000_000u,
                maxRedirects = 0u,
                userAgent = null,
                connectTo = listOf(connectTo(Testkit.HOST, server)),
            ),
        )

    private fun Process.method(
        name: String,
        client: Long,
    ): Long {
        // It takes the handle that it is given.
        val clone = handle("uniffi_pinfold_fn_clone_client", client)
        return handle("uniffi_pinfold_fn_method_client_$name", clone)
    }

    private fun Process.execute(
        client: Long,
        path: String,
    ): Reply {
        val request = RequestHead("GET", Testkit.url(path), emptyList(), null, null, false)
        val head = buffer(FfiConverterTypeRequestHead, request).bytes
        val output = memory(OUTPUT)
        val length =
            call(
                "pinfold_call_execute",
                method("id", client),
                call("pinfold_call_begin"),
                memory(head),
                head.size,
                output,
                OUTPUT,
            )
        val bytes = ByteBuffer.wrap(output.getByteArray(0, length.toInt()))
        return FfiConverterTypeReply.read(bytes)
    }

    private fun Process.explain(
        client: Long,
        chain: String,
    ): Explanation {
        val chain = Testkit.chains.getValue(chain)
        val bytes =
            await(
                FfiConverterTypePinfoldFailure,
                "uniffi_pinfold_fn_method_client_explain",
                handle("uniffi_pinfold_fn_clone_client", client),
                Process.RustBuffer(Testkit.HOST.toByteArray()),
                buffer(FfiConverterSequenceByteArray, chain),
                System.currentTimeMillis() / 1_000,
            )
        return FfiConverterTypeExplanation.read(bytes)
    }

    private fun Process.updater(embedded: ByteArray): Long {
        val connectTo = listOf(connectTo(App.UPDATES, App.SERVER))
        val settings = UpdaterSettings(embedded, null, roots, connectTo)
        return handle(
            "uniffi_pinfold_fn_constructor_pinsetupdater_new",
            buffer(FfiConverterTypeUpdaterSettings, settings),
            buffer(FfiConverterOptionalTypePlatformTrust, null),
            buffer(FfiConverterOptionalTypeUpdateListener, null),
            buffer(FfiConverterOptionalTypeManagedConfiguration, null),
        )
    }

    private fun Process.refresh(updater: Long): Refreshed {
        val clone = handle("uniffi_pinfold_fn_clone_pinsetupdater", updater)
        val method = "uniffi_pinfold_fn_method_pinsetupdater_refresh"
        return FfiConverterTypeRefreshed.read(await(FfiConverterTypePinSetFailure, method, clone))
    }

    /** The version of the pin set in force. */
    private fun Process.version(updater: Long): Int {
        val clone = handle("uniffi_pinfold_fn_clone_pinsetupdater", updater)
        val method = "uniffi_pinfold_fn_method_pinsetupdater_status"
        val status = value(FfiConverterTypePinfoldFailure, method, clone)
        return FfiConverterTypePinSetStatus
            .read(status)
            .order.pinset
            .toInt()
    }

    private val roots by lazy { NativeRoots.Only(listOf(Testkit.certificate("root"))) }

    private fun connectTo(
        host: String,
        server: String,
    ) = ConnectTo(host, 443u, "127.0.0.1:${Testkit.port(server)}")

    /** What a server publishes, of the documents that an app is built with. */
    private fun bundle(embedded: JsonObject): String =
        buildJsonObject {
            put("bundle", 1)
            putJsonArray("roots") { add(embedded.getValue("root")) }
            put("pinset", embedded.getValue("pinset"))
        }.toString()

    /** Another bit in each signature of the pin set. */
    private fun damaged(documents: JsonObject): JsonObject {
        val pinset = documents.getValue("pinset").jsonObject
        val signatures =
            pinset.getValue("signatures").objects().map {
                val signature = Base64.getDecoder().decode(it.text("sig"))
                signature[0] = (signature[0].toInt() xor 1).toByte()
                val damaged = Base64.getEncoder().encodeToString(signature)
                JsonObject(it + ("sig" to JsonPrimitive(damaged)))
            }
        val damaged = JsonObject(pinset + ("signatures" to JsonArray(signatures)))
        return JsonObject(documents + ("pinset" to damaged))
    }

    private companion object {
        const val OUTPUT = 65_536
    }
}
