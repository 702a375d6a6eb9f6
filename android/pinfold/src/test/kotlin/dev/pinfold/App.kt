package dev.pinfold

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Clock
import kotlin.time.Duration.Companion.days
import kotlin.time.Instant

/**
 * What an app is built with that pins one key in [version], and where it looks for updates: under a
 * URL that no other one asks for.
 */
class App(
    private val version: Int,
    private val pin: String,
    path: String = "/bundle.json",
    edits: JsonObjectBuilder.() -> Unit = {},
) {
    /** What it asks the server for. */
    val path: String = "$path?${count.incrementAndGet()}"

    /** What ships with it. */
    val embedded: ByteArray =
        Testkit.embed("version=$version&pins=$pin", buildJsonObject(edits)).let { json ->
            val urls = listOf("https://$UPDATES${this.path}").map { JsonPrimitive(it) }
            val own = JsonObject(json + ("update_urls" to JsonArray(urls)))
            own.toString().encodeToByteArray()
        }

    /** How often it has looked for updates. */
    fun fetches(): Int = Testkit.events(SERVER, "request").count { it.text("path") == path }

    fun updater(configure: UpdaterConfig.() -> Unit = {}): PinSetUpdater =
        PinSetUpdater(embedded) {
            roots = Roots.Only(listOf(Testkit.certificate("root")))
            connectTo(UPDATES, 443, "127.0.0.1:${Testkit.port(SERVER)}")
            configure()
        }

    /** One that has the next version, and looks for another only for a reason. */
    fun updated(configure: UpdaterConfig.() -> Unit = {}): PinSetUpdater {
        publish(version + 1, pin)
        return updater(configure).also { check(it.refreshBlocking() == Refreshed.UPDATED) }
    }

    companion object {
        /** Serves updates, under another name than requests go to. */
        const val SERVER = "rsa"
        const val UPDATES = "www.example.test"
        private val count = AtomicInteger()

        /** Publishes a signed pin set for every app. */
        fun publish(
            version: Int,
            pin: String,
            edits: JsonObjectBuilder.() -> Unit = {},
        ) = Testkit.sign("server=$SERVER&version=$version&pins=$pin", buildJsonObject(edits))

        /** Publishes something else. */
        fun publish(content: String) = Testkit.publish(SERVER, "/bundle.json", content)

        /** That many days from now, as documents write it. */
        fun time(days: Int): Instant =
            Instant.fromEpochSeconds((Clock.System.now() + days.days).epochSeconds)
    }
}

/** The events of an updater, in their order. */
class Events : (UpdateEvent) -> Unit {
    private val events = LinkedBlockingQueue<UpdateEvent>()

    override fun invoke(event: UpdateEvent) = events.put(event)

    /** The next one, once there is one. */
    fun next(): UpdateEvent = checkNotNull(events.poll(10, TimeUnit.SECONDS)) { "no event" }

    /** The next one, if there is one already. */
    fun poll(): UpdateEvent? = events.poll()
}

/** A client of the updater that finds [Testkit.HOST] at [server]. */
fun PinSetUpdater.client(
    server: String = "backend",
    configure: ClientConfig.() -> Unit = {},
): PinnedClient =
    PinnedClient(this) {
        roots = Roots.Only(listOf("root", "other_root").map { Testkit.certificate(it) })
        connectTo(Testkit.HOST, 443, "127.0.0.1:${Testkit.port(server)}")
        configure()
    }

fun json(text: String): JsonElement = Json.parseToJsonElement(text)
