package com.example.bank

import dev.pinfold.ManagedConfiguration
import dev.pinfold.Method
import dev.pinfold.PinAt
import dev.pinfold.PinSet
import dev.pinfold.PinSetUpdater
import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.Request
import dev.pinfold.Roots
import dev.pinfold.UpdateEvent
import kotlinx.coroutines.runBlocking
import java.io.File
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

private const val HOST = "api.example.test"
private const val UPDATES = "www.example.test"
private const val URL = "https://$HOST/"

/** What crosses to the native library and back, one line for each; scripts/prove-r8 knows them. */
fun main() {
    val pins =
        PinSet.build {
            host(HOST) {
                pin(setting("PIN"), at = PinAt.CA)
                backup(setting("BACKUP"))
            }
        }
    PinnedClient(pins, "BACKEND").use { client ->
        println("request: ${runBlocking { client.get(URL) }.status}")
        println("blocking request: ${client.sendBlocking(Request(Method.GET, URL)).status}")
    }
    PinnedClient(pins, "INTERCEPTOR").use { println("interceptor: ${it.failure()}") }
    // The system's trust manager, called from native code.
    PinnedClient(pins) { connectTo(HOST, 443, setting("BACKEND")) }.use {
        println("system trust: ${it.failure()}")
    }
    println("invalid: ${failure { PinSet.parse("{}") }}")
    updates()
}

private fun updates() {
    val events = LinkedBlockingQueue<UpdateEvent>()
    PinSetUpdater(File(setting("EMBEDDED")).readBytes()) {
        roots = authorities()
        connectTo(UPDATES, 443, setting("UPDATES"))
        managedConfiguration =
            ManagedConfiguration { if (it == "inspection_authority_id") "acme-2026" else null }
        onEvent = events::put
    }.use { updater ->
        println("refreshed: ${runBlocking { updater.refresh() }.ordinal}")
        val event = events.poll(10, TimeUnit.SECONDS)
        println("event: ${(event as UpdateEvent.Updated).order.pinset}")
        println("status: ${updater.status().order.pinset}")
        PinnedClient(updater) {
            roots = authorities()
            connectTo(HOST, 443, setting("INTERCEPTOR"))
        }.use { println("inspected: ${it.failure()}") }
    }
}

private fun PinnedClient(
    pins: PinSet,
    server: String,
): PinnedClient =
    PinnedClient(pins) {
        roots = authorities()
        connectTo(HOST, 443, setting(server))
    }

private fun PinnedClient.failure() = failure { runBlocking { get(URL) } }

private fun failure(call: () -> Unit): String =
    try {
        call()
        "none"
    } catch (e: PinfoldException) {
        e.code
    }

private fun authorities() =
    Roots.Only(setting("ROOTS").split(File.pathSeparator).map { File(it).readBytes() })

private fun setting(name: String) = checkNotNull(System.getenv("PINFOLD_$name")) { name }
