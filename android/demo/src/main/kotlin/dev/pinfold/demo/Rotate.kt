package dev.pinfold.demo

import dev.pinfold.PinSetUpdater
import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import java.io.File

/**
 * A rotation without a release: a line `OUTCOME pin set VERSION` for each of three requests, where
 * the outcome is the status or the error's code. Before the second and the third it waits for a
 * line on standard input: the server's key has changed, and has changed back.
 */
internal suspend fun rotate() {
    val authorities = Roots.Only(certificates(File(setting("ROOTS"))))
    PinSetUpdater(File(setting("ROTATE")).readBytes()) {
        roots = authorities
        connectTo("www.example.test", 443, setting("UPDATES"))
    }.use { updater ->
        fun client() =
            PinnedClient(updater) {
                roots = authorities
                connectTo(setting("HOST"), 443, setting("BACKEND"))
            }

        // As an app does at its start.
        updater.refreshIfDue()
        client().use { running ->
            println(running.end(updater))
            awaitLine()
            // The running one would resume its TLS session, which is as good as its pins.
            client().use { println(it.end(updater)) }
            awaitLine()
            println(running.end(updater))
        }
    }
}

private suspend fun PinnedClient.end(updater: PinSetUpdater): String {
    val outcome =
        try {
            get(setting("URL")).status
        } catch (e: PinfoldException) {
            e.code
        }
    return "$outcome pin set ${updater.status().order.pinset}"
}

private fun awaitLine() = checkNotNull(readlnOrNull()) { "standard input has ended" }
