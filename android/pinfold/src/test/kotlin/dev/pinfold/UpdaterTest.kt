package dev.pinfold

import dev.pinfold.PinSetUpdateException.Reason
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.supervisorScope
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.put
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File
import kotlin.time.Clock
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

/** What an updater accepts, keeps and says. */
class UpdaterTest {
    @Test
    suspend fun `the status says how the pin set stands`() {
        val app = App(3, "backend")
        app.updater().use { updater ->
            val before = updater.status()
            assertEquals(PinSetOrder(root = 1, epoch = 0, pinset = 3), before.order)
            assertEquals(Freshness.FRESH, before.freshness)
            assertTrue(before.issued in App.time(-1) - 1.hours..App.time(-1), "${before.issued}")
            assertTrue(before.expires in App.time(60) - 1.hours..App.time(60), "${before.expires}")
            assertNull(before.checked)
            assertNull(before.lastError)
            assertEquals(Duration.ZERO, before.nextDue)
            assertEquals(listOf(Testkit.HOST), updater.pins.hosts)
            assertEquals(3L, updater.pins.version)
            // Nothing is fetched before somebody wants it.
            assertEquals(0, app.fetches())

            App.publish(4, "rotated")
            val begun = App.time(0)
            assertEquals(Refreshed.UPDATED, updater.refreshIfDue())
            assertEquals(Refreshed.UNCHANGED, updater.refresh())
            val after = updater.status()
            assertEquals(4, after.order.pinset)
            assertTrue(after.checked!! in begun..Clock.System.now(), "${after.checked}")
            assertTrue(after.nextDue in 17.hours..24.hours, "${after.nextDue}")
            assertNull(updater.refreshIfDue())
            assertEquals(2, app.fetches())
        }
    }

    @Test
    fun `threads can wait for it as coroutines can`() {
        val app = App(1, "backend")
        app.updater().use { updater ->
            App.publish(2, "rotated")
            assertEquals(Refreshed.UPDATED, updater.refreshIfDueBlocking())
            assertNull(updater.refreshIfDueBlocking())
            App.publish(3, "rotated")
            assertEquals(Refreshed.UPDATED, updater.refreshBlocking())
            App.publish("<html>log in first</html>")
            assertThrows<PinSetUpdateException> { updater.refreshBlocking() }
        }
    }

    @Test
    suspend fun `old, other and foreign documents change nothing and are told`() {
        val app = App(5, "backend")
        val events = Events()
        val updater = app.updater { onEvent = events }
        val documents =
            listOf<Pair<Reason, () -> Unit>>(
                Reason.ROLLBACK to { App.publish(4, "rotated") },
                Reason.EQUIVOCATION to { App.publish(5, "rotated") },
                Reason.AUDIENCE to { App.publish(6, "rotated") { put("aud", json("[\"x\"]")) } },
                Reason.UNSUPPORTED to { App.publish(6, "rotated") { put("schema", 2) } },
                Reason.MALFORMED to { App.publish("<html>log in first</html>") },
            )
        for ((reason, publish) in documents) {
            publish()
            val error = assertThrows<PinSetUpdateException>("$reason") { updater.refresh() }
            assertEquals(reason, error.reason)
            assertEquals(reason.name.lowercase(), error.code)
            assertTrue(error.message.startsWith("the pin set was refused"), error.message)
            val told = events.next()
            val refused = told as? UpdateEvent.Rejected
            val url =
                when (told) {
                    is UpdateEvent.StaleMirror -> told.url
                    is UpdateEvent.Equivocation -> told.url
                    else -> refused?.url
                }
            assertEquals(reason == Reason.ROLLBACK, told is UpdateEvent.StaleMirror)
            assertEquals(reason == Reason.EQUIVOCATION, told is UpdateEvent.Equivocation)
            assertTrue(url!!.startsWith("https://www.example.test/"), url)
            val status = updater.status()
            assertEquals(5, status.order.pinset)
            for (same in listOfNotNull(refused?.error, status.lastError!!)) {
                val expected = listOf(error.reason, error.place, error.message)
                assertEquals(expected, listOf(same.reason, same.place, same.message))
            }
        }
        App.publish(6, "rotated") { put("hosts", json("[{}]")) }
        val error = assertThrows<PinSetUpdateException> { updater.refresh() }
        assertEquals("hosts[0].host", error.place)
        events.next()

        App.publish(6, "rotated")
        assertEquals(Refreshed.UPDATED, updater.refresh())
        assertEquals(UpdateEvent.Updated(PinSetOrder(1, 0, 6)), events.next())
        assertNull(updater.status().lastError)
        updater.close()
    }

    @Test
    suspend fun `a server that has nothing is an error that says so`() {
        val app = App(1, "backend", "/status/503")
        val events = Events()
        app.updater { onEvent = events }.use { updater ->
            val error = assertThrows<PinSetUpdateException> { updater.refresh() }
            assertEquals("unavailable", error.code)
            assertEquals(Reason.UNAVAILABLE, error.reason)
            assertNull(error.place)
            assertTrue(error.message.contains("503"), error.message)
            val told = assertInstanceOf<UpdateEvent.Unavailable>(events.next())
            assertTrue(told.message.contains("503"), told.message)
            val status = updater.status()
            assertTrue(status.nextDue <= 2.minutes, "${status.nextDue}")
            assertNull(status.checked)
        }
    }

    @Test
    suspend fun `what was fetched outlives the process, and the app wins when it is newer`(
        @TempDir folder: File,
    ) {
        val directory = folder.resolve("not/there")
        val app = App(1, "backend")
        App.publish(4, "rotated")
        app.updater { this.directory = directory }.use { updater ->
            assertEquals(Refreshed.UPDATED, updater.refresh())
        }
        App.publish("gone")
        app.updater { this.directory = directory }.use { updater ->
            assertEquals(4, updater.status().order.pinset)
            updater.client("rotated").use { client ->
                assertEquals(200, client.get(Testkit.url("/")).status)
            }
            assertNull(updater.refreshIfDue(), "the interval goes on where it was")
        }
        assertEquals(1, app.fetches())
        App(9, "backend").updater { this.directory = directory }.use { updater ->
            assertEquals(9, updater.status().order.pinset)
        }
        // Without one it begins anew.
        app.updater().use { assertEquals(1, it.status().order.pinset) }
    }

    @Test
    fun `a store that is not ours or cannot be used harms nothing, and is told`(
        @TempDir folder: File,
    ) {
        val app = App(1, "backend")
        folder.resolve("pinset").writeText("rubbish")
        val events = Events()
        val damaged =
            app.updater {
                directory = folder
                onEvent = events
            }
        damaged.use {
            assertEquals(1, it.status().order.pinset)
            assertInstanceOf<UpdateEvent.Store>(events.next())
        }

        val file = folder.resolve("file").apply { writeText("not a folder") }
        App.publish(2, "rotated")
        val unusable =
            app.updater {
                directory = file
                onEvent = events
            }
        unusable.use {
            assertEquals(Refreshed.UPDATED, it.refreshBlocking())
            assertInstanceOf<UpdateEvent.Updated>(events.next())
            assertInstanceOf<UpdateEvent.Store>(events.next())
        }
    }

    @Test
    fun `a store of another app is refused and told`(
        @TempDir folder: File,
    ) {
        App.publish(2, "rotated")
        App(1, "backend").updater { directory = folder }.use { it.refreshBlocking() }
        val events = Events()
        val embedded =
            App(1, "backend") { put("aud", json("[\"other\"]")) }
                .embedded
                .decodeToString()
                .replace("\"audience\":\"test\"", "\"audience\":\"other\"")
        val other =
            PinSetUpdater(embedded.encodeToByteArray()) {
                directory = folder
                onEvent = events
            }
        other.use {
            assertEquals(1, it.status().order.pinset)
            val told = assertInstanceOf<UpdateEvent.Rejected>(events.next())
            assertEquals(null to Reason.AUDIENCE, told.url to told.error.reason)
        }
    }

    @Test
    suspend fun `what another process has stored is taken over`(
        @TempDir folder: File,
    ) {
        val app = App(1, "backend")
        App.publish(1, "backend")
        val (one, other) = List(2) { app.updater { directory = folder } }
        one.refreshIfDue()
        other.refreshIfDue()
        App.publish(2, "rotated")
        assertEquals(Refreshed.UPDATED, one.refresh())
        val before = app.fetches()
        assertNull(other.refreshIfDue())
        assertEquals(2, other.status().order.pinset)
        assertEquals(before, app.fetches())
        one.close()
        other.close()
    }

    @Test
    suspend fun `what time does to a pin set is told once`() {
        suspend fun told(edits: JsonObjectBuilder.() -> Unit): Pair<Freshness, UpdateEvent> {
            val events = Events()
            App(1, "backend", "/status/404", edits).updater { onEvent = events }.use { updater ->
                repeat(2) { runCatching { updater.refreshIfDue() } }
                val event = events.next()
                // What follows is about the attempt, or the same again.
                assertNotEquals(event, events.next())
                return updater.status().freshness to event
            }
        }

        fun JsonObjectBuilder.over(grace: Int) {
            put("issued", "${App.time(-9)}")
            put("expires", "${App.time(-4)}")
            put("grace_days", grace)
        }
        assertEquals(Freshness.STALE to UpdateEvent.Stale, told { over(grace = 60) })
        assertEquals(Freshness.LAPSED to UpdateEvent.Lapsed(null), told { over(grace = 1) })
    }

    @Test
    suspend fun `an entry whose own time is over is told by name`() {
        val host =
            """
            [{
              "host": "${Testkit.HOST}",
              "expires": "${App.time(-1)}",
              "pins": [
                { "sha256": "${Testkit.pin("rotated").removePrefix("sha256/")}" },
                { "sha256": "${Testkit.pin("backup").removePrefix("sha256/")}" }
              ]
            }]
            """.trimIndent()
        val app =
            App(1, "backend", "/status/404") {
                put("issued", "${App.time(-9)}")
                put("grace_days", 0)
                put("hosts", json(host))
            }
        val events = Events()
        app.updater { onEvent = events }.use { updater ->
            updater.client().use { client ->
                assertEquals(Pinning.Lapsed(Testkit.HOST), client.get(Testkit.url("/")).pinning)
            }
            assertEquals(UpdateEvent.Lapsed(Testkit.HOST), events.next())
            assertEquals(Freshness.FRESH, updater.status().freshness)
        }
    }

    @Test
    suspend fun `the system's authorities are asked for updates and for requests, by one judge`() {
        val app = App(1, "backend")
        App.publish(2, "rotated")
        val configure: UpdaterConfig.() -> Unit = {
            roots = Roots.System
            systemTrust = SystemTrust(Testkit.keyStore("root"))
        }
        app.updater(configure).use { updater ->
            assertEquals(Refreshed.UPDATED, updater.refresh())
            updater.client("rotated") { roots = Roots.System }.use { client ->
                assertInstanceOf<Pinning.Matched>(client.get(Testkit.url("/")).pinning)
            }
        }
        // The JVM's own know nothing of testkit's.
        app.updater { roots = Roots.System }.use { updater ->
            val error = assertThrows<PinSetUpdateException> { updater.refresh() }
            assertEquals(Reason.UNAVAILABLE, error.reason)
        }
    }

    @Test
    suspend fun `a coroutine that is cancelled ends at once, and nobody else's refresh`() =
        supervisorScope {
            val app = App(1, "backend", "/hang")
            app.updater().use { updater ->
                val (one, other) = List(2) { async(Dispatchers.Default) { updater.refresh() } }
                Testkit.await(App.SERVER, "request") { it.text("path") == app.path }
                val taken = measureTime { one.cancelAndJoin() }
                assertTrue(taken < 5.seconds, "took $taken")
                assertFalse(other.isCompleted)
                // Whether it waits for the same fetch or has begun its own meanwhile.
                awaitTrue {
                    Testkit.drop(App.SERVER)
                    other.isCompleted
                }
                val error = assertThrows<PinSetUpdateException> { other.await() }
                assertEquals(Reason.UNAVAILABLE, error.reason)
            }
        }
}
