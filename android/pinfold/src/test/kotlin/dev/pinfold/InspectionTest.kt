package dev.pinfold

import dev.pinfold.Explanation.Verdict
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows

/** An organisation's own interceptor passes only where owner and management both name it. */
class InspectionTest {
    private val app = App(1, "backend", "/status/404") { authority() }

    @Test
    suspend fun `what owner and management both name passes and is told`() {
        val events = Events()
        val updater =
            app.updater {
                managedConfiguration = ManagedConfiguration { if (it == KEY) ID else null }
                onEvent = { if (it is UpdateEvent.Inspected) events(it) }
            }
        updater.client("interceptor").use { client ->
            repeat(2) {
                val pinning = client.get(Testkit.url("/")).pinning
                val inspected = assertInstanceOf<Pinning.Inspected>(pinning)
                assertEquals(Testkit.HOST to ID, inspected.rule to inspected.authority)
                val presented = inspected.mismatch.certificate.presentedPin
                assertEquals(Testkit.pin("interceptor"), presented)
            }
            assertEquals(UpdateEvent.Inspected(Testkit.HOST, ID), events.next())
            val chain = Testkit.chains.getValue("interceptor")
            val explanation = client.explain(Testkit.HOST, chain)
            assertTrue(explanation.isAllowed)
            assertEquals(Verdict.INSPECTED, explanation.verdict)
        }
        updater.close()
    }

    @Test
    suspend fun `without the word of the management it is a mismatch`() {
        val configurations =
            listOf(
                null,
                ManagedConfiguration { null },
                ManagedConfiguration { "" },
                ManagedConfiguration { "\uD800" },
                ManagedConfiguration { "acme-2025" },
                ManagedConfiguration { if (it == KEY) null else ID },
                ManagedConfiguration { throw IllegalStateException("not managed") },
                ManagedConfiguration { throw StackOverflowError() },
            )
        for (configuration in configurations) {
            app.updater { managedConfiguration = configuration }.use { updater ->
                updater.client("interceptor").use { client ->
                    assertThrows<PinfoldException.PinMismatch> { client.get(Testkit.url("/")) }
                }
            }
        }
    }

    @Test
    suspend fun `a word that is withdrawn ends it, resumed or not`() {
        var word: String? = ID
        app.updater { managedConfiguration = ManagedConfiguration { word } }.use { updater ->
            updater.client("interceptor").use { client ->
                assertInstanceOf<Pinning.Inspected>(client.get(Testkit.url("/")).pinning)
                word = null
                Testkit.drop("interceptor")
                assertThrows<PinfoldException.PinMismatch> { client.get(Testkit.url("/")) }
            }
        }
    }

    private fun JsonObjectBuilder.authority() =
        putJsonArray("inspection_authorities") {
            addJsonObject {
                put("id", ID)
                put("spki_sha256", Testkit.pin("other_root").removePrefix("sha256/"))
                put("mode", "allow")
                putJsonArray("hosts") { add(Testkit.HOST) }
                put("not_before", "${App.time(-1)}")
                put("not_after", "${App.time(30)}")
                putJsonObject("require") {
                    put("managed_config", true)
                    put("managed_config_key", KEY)
                }
            }
        }

    private companion object {
        const val ID = "acme-2026"
        const val KEY = "inspection_authority_id"
    }
}
