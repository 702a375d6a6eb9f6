package dev.pinfold.demo

import dev.pinfold.PinSet
import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.Pinning
import dev.pinfold.Roots
import kotlinx.coroutines.runBlocking
import java.io.File
import java.security.cert.CertificateFactory

/**
 * With `PINFOLD_DEMO_WHO` one request ([who]), with `PINFOLD_DEMO_ROTATE` a rotation
 * ([rotate]), else the scenario of `scripts/demo`.
 */
fun main() =
    runBlocking {
        when {
            System.getenv("PINFOLD_DEMO_WHO") != null -> who()
            System.getenv("PINFOLD_DEMO_ROTATE") != null -> rotate()
            else -> scenario()
        }
    }

/** A line `STEP OUTCOME` for each step, and `issuer NAME`. */
private suspend fun scenario() {
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
        val issuer = outcome.error?.certificate?.issuer
        if (issuer != null) println("issuer $issuer")
    }
    client("INTERCEPTOR", "report.json").use { println("report_only ${it.outcome()}") }
}

internal class Outcome(
    private val name: String,
    val error: PinfoldException? = null,
) {
    override fun toString() = name
}

internal suspend fun PinnedClient.outcome(): Outcome =
    try {
        when (val pinning = get(setting("URL")).pinning) {
            is Pinning.Matched -> Outcome("match")
            is Pinning.ReportOnly -> Outcome("report_only", pinning.mismatch)
            is Pinning.Inspected -> Outcome("inspected", pinning.mismatch)
            is Pinning.Off -> Outcome("off")
            is Pinning.Lapsed -> Outcome("lapsed")
            Pinning.NotPinned -> Outcome("not_pinned")
        }
    } catch (e: PinfoldException) {
        Outcome(e.code, e)
    }

private fun client(
    server: String,
    pins: String,
) = PinnedClient(pins(pins)) {
    roots = Roots.Only(certificates(folder.resolve("roots.pem")))
    connectTo(setting("HOST"), 443, setting(server))
}

private fun pins(file: String) = PinSet.parse(folder.resolve(file).readBytes())

private val folder get() = File(setting("DIR"))

internal fun certificates(pem: File) =
    pem.inputStream().use { stream ->
        CertificateFactory.getInstance("X.509").generateCertificates(stream).map { it.encoded }
    }

internal fun setting(name: String) =
    checkNotNull(System.getenv("PINFOLD_DEMO_$name")) { "PINFOLD_DEMO_$name is not set" }
