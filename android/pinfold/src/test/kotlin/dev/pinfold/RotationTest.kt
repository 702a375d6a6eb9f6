package dev.pinfold

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.supervisorScope
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows

/** Keys change and pins follow, in running clients. */
class RotationTest {
    @AfterEach
    fun `the backend has its own key again`() = Testkit.present("backend", "backend")

    @Test
    suspend fun `a rotated key heals within one request, and its body goes out once`() {
        val app = App(1, "backend")
        app.updated().use { updater ->
            val old = updater.pins
            updater.client().use { assertEquals(200, it.get(Testkit.url("/")).status) }
            App.publish(3, "rotated")
            Testkit.present("backend", "rotated")
            // What is not updated is dead.
            Testkit.client(pins = old).use { client ->
                assertThrows<PinfoldException.PinMismatch> { client.get(Testkit.url("/")) }
            }
            // One that has no session to resume.
            updater.client().use { client ->
                val response = client.post(Testkit.url("/echo?healed")) { body("once") }
                val matched = assertInstanceOf<Pinning.Matched>(response.pinning)
                assertEquals(Testkit.pin("rotated"), matched.pin)
            }
            assertEquals(3, updater.status().order.pinset)
            val requests = Testkit.events("backend", "request")
            assertEquals(1, requests.count { it.text("path") == "/echo?healed" })
        }
    }

    @Test
    suspend fun `a thousand mismatches make one fetch, and an attacker no more`() =
        coroutineScope {
            val app = App(1, "backend")
            app.updated().use { updater ->
                App.publish(3, "deep")
                val before = app.fetches()
                updater.client("deep").use { client ->
                    val url = Testkit.url("/")
                    val calls = List(1_000) { async(Dispatchers.Default) { client.get(url) } }
                    assertEquals(setOf(200), calls.awaitAll().map { it.status }.toSet())
                }
                assertEquals(before + 1, app.fetches())
                updater.client("rotated").use { client ->
                    repeat(3) {
                        assertThrows<PinfoldException.PinMismatch> { client.get(Testkit.url("/")) }
                    }
                }
                assertEquals(before + 1, app.fetches())
            }
        }

    @Test
    suspend fun `a withdrawn pin dies in a running client although its TLS ticket is good`() {
        val app = App(1, "backend")
        app.updated().use { updater ->
            updater.client().use { client ->
                client.get(Testkit.url("/"))
                Testkit.drop("backend")
                client.get(Testkit.url("/?resumed"))
                assertEquals("true", handshake("/?resumed").text("resumed"))

                App.publish(3, "rotated")
                assertEquals(Refreshed.UPDATED, updater.refresh())
                assertThrows<PinfoldException.PinMismatch> { client.get(Testkit.url("/?dead")) }

                App.publish(4, "backend")
                assertEquals(Refreshed.UPDATED, updater.refresh())
                client.get(Testkit.url("/?alive"))
                assertEquals("false", handshake("/?alive").text("resumed"))
            }
        }
    }

    @Test
    suspend fun `a request in flight ends with its pin where the client wants it`() =
        supervisorScope {
            for (aborts in listOf(true, false)) {
                val updater = App(1, "backend").updated()
                val client = updater.client { abortWithdrawn = aborts }
                val path = "/hang?aborts=$aborts"
                val call = async(Dispatchers.Default) { client.get(Testkit.url(path)) }
                Testkit.awaitRequest(path)
                App.publish(3, "rotated")
                assertEquals(Refreshed.UPDATED, updater.refresh())
                if (aborts) {
                    assertThrows<PinfoldException.PinMismatch> { call.await() }
                } else {
                    // It goes on until its server ends it.
                    assertFalse(call.isCompleted)
                    Testkit.drop("backend")
                    assertThrows<PinfoldException.ConnectionLost> { call.await() }
                }
                client.close()
                updater.close()
            }
        }

    /** The handshake of the connection on which [path] was asked for. */
    private fun handshake(path: String) =
        Testkit.awaitRequest(path).let { connection ->
            Testkit.await("backend", "handshake") { it.long("conn") == connection }
        }
}
