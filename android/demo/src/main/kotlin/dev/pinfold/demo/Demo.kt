package dev.pinfold.demo

import dev.pinfold.CertificateFacts
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

/** Plays the scenario of `scripts/demo`: a line `STEP OUTCOME` for each step, and `issuer NAME`. */
fun main() =
    runBlocking {
        client("BACKEND", "pins.json").use { client ->
            println("pinned ${client.outcome()}")
            // The connection to the backend is alive, and its key has not changed.
            client.replacePins(pins("changed.json"))
            println("changed ${client.outcome()}")
        }
        client("IMPOSTOR", "pins.json").use { println("impostor ${it.outcome()}") }
        client("INTERCEPTOR", "pins.json").use { client ->
            val outcome = client.outcome()
            println("interceptor $outcome")
            // The error says who was there.
            outcome.certificate?.issuer?.let { println("issuer $it") }
        }
        client("INTERCEPTOR", "report.json").use { println("report_only ${it.outcome()}") }
    }

private class Outcome(
    val name: String,
    val certificate: CertificateFacts? = null,
) {
    override fun toString() = name
}

private suspend fun PinnedClient.outcome(): Outcome =
    try {
        when (get(url).pinning) {
            is Pinning.Matched -> Outcome("match")
            is Pinning.ReportOnly -> Outcome("report_only")
            is Pinning.Off -> Outcome("off")
            is Pinning.Lapsed -> Outcome("lapsed")
            Pinning.NotPinned -> Outcome("not_pinned")
        }
    } catch (e: PinfoldException) {
        Outcome(e.code, e.certificate)
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
