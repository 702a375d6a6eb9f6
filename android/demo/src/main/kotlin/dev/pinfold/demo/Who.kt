package dev.pinfold.demo

import dev.pinfold.InterceptionReport
import dev.pinfold.PinSet
import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import java.io.File

/** One request, and who is in the middle: `CODE KIND CONFIDENCE PRODUCT`, with `-` for nothing. */
internal suspend fun who() {
    val client =
        PinnedClient(PinSet.parse(File(setting("PINS")).readBytes())) {
            roots = roots(setting("ROOTS"))
            connectTo(setting("HOST"), 443, setting("CONNECT"))
        }
    val outcome = client.use { it.outcome() }
    println("$outcome ${outcome.error?.interception.line()}")
}

private fun roots(name: String) =
    when (name) {
        "system" -> Roots.System
        "bundled" -> Roots.Bundled
        else -> Roots.Only(certificates(File(name)))
    }

private fun InterceptionReport?.line() =
    "${this?.kind?.code ?: "-"} ${this?.confidence?.code ?: "-"} ${this?.product ?: "-"}"
