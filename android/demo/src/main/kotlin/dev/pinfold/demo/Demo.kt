package dev.pinfold.demo

import dev.pinfold.PinSet
import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.Pinning
import dev.pinfold.Roots
import kotlinx.coroutines.runBlocking
import java.io.File
import java.security.cert.CertificateFactory

private val url = setting("URL")
private val folder = File(setting("DIR"))
private val authorities =
    folder.resolve("roots.pem").inputStream().use { pem ->
        CertificateFactory.getInstance("X.509").generateCertificates(pem).map { it.encoded }
    }

/** Plays the scenario of `scripts/demo`: a line `STEP OUTCOME` for each step. */
fun main() =
    runBlocking {
        client("BACKEND", "pins.json").use { client ->
            println("pinned ${client.outcome()}")
            // The connection to the backend is alive, and its key has not changed.
            client.replacePins(pins("changed.json"))
            println("changed ${client.outcome()}")
        }
        client("IMPOSTOR", "pins.json").use { println("impostor ${it.outcome()}") }
        client("INTERCEPTOR", "pins.json").use { println("interceptor ${it.outcome()}") }
        client("INTERCEPTOR", "report.json").use { println("report_only ${it.outcome()}") }
    }

private suspend fun PinnedClient.outcome(): String =
    try {
        when (get(url).pinning) {
            is Pinning.Matched -> "match"
            is Pinning.ReportOnly -> "report_only"
            is Pinning.Off -> "off"
            is Pinning.Lapsed -> "lapsed"
            Pinning.NotPinned -> "not_pinned"
        }
    } catch (e: PinfoldException) {
        e.code
    }

private fun client(
    server: String,
    pins: String,
) = PinnedClient(pins(pins)) {
    roots = Roots.Only(authorities)
    connectTo(setting("HOST"), 443, setting(server))
}

private fun pins(file: String) = PinSet.parse(folder.resolve(file).readBytes())

private fun setting(name: String) =
    checkNotNull(System.getenv("PINFOLD_DEMO_$name")) { "PINFOLD_DEMO_$name is not set" }
