package dev.pinfold

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.util.Base64
import java.util.concurrent.CompletableFuture
import java.util.concurrent.locks.LockSupport
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import dev.pinfold.internal.Client as FfiClient

/** Requests and replies of every size, and the ends of calls and clients. */
class NativeCallTest {
    @Test
    suspend fun `replies are exact at every size, around the buffer's too`() {
        val sizes = (65_000..65_600).step(7) + listOf(0, 1, 65_536, 300_000, 5_000_000)
        Testkit.client().use { client ->
            for (size in sizes) {
                assertArrayEquals(letters(size), client.get(Testkit.url("/bytes/$size")).body)
            }
            assertArrayEquals(letters(300_000), client.get(Testkit.url("/chunked/300000")).body)
        }
    }

    @Test
    suspend fun `requests are exact at every size, around the buffer's too`() {
        Testkit.client().use { client ->
            for (size in listOf(65_000, 65_300, 65_535, 65_536, 65_537, 300_000, 5_000_000)) {
                val sent = letters(size)
                val echo = client.post(Testkit.url("/echo")) { body(sent) }.text()
                val received = Json.parseToJsonElement(echo).jsonObject.text("body_base64")
                assertArrayEquals(sent, Base64.getDecoder().decode(received))
            }
        }
    }

    @Test
    suspend fun `32 requests at once get each its own answer`() =
        coroutineScope {
            Testkit.client().use { client ->
                List(32) { i ->
                    async(Dispatchers.Default) {
                        repeat(8) { round ->
                            val size = 1_000 * i + round
                            val body = client.get(Testkit.url("/bytes/$size")).body
                            assertArrayEquals(letters(size), body)
                        }
                    }
                }.awaitAll()
            }
            awaitNoCalls()
        }

    @Test
    fun `a closed client's id is nobody else's`() {
        ffiClient().use { living ->
            for (stale in listOf(0L, -1L, Long.MAX_VALUE)) {
                val call = NativeCall(living, stale)
                val request = Request(Method.GET, Testkit.url("/"))
                assertThrows<PinfoldException.ClientClosed> { call.execute(request) }
                call.end()
            }
        }
    }

    @Test
    fun `a call that has ended is an error and can be ended and cancelled again`() {
        ffiClient().use { client ->
            val call = NativeCall(client, client.id().toLong())
            call.end()
            call.end()
            call.cancel()
            val request = Request(Method.GET, Testkit.url("/"))
            assertThrows<PinfoldException.Internal> { call.execute(request) }
        }
    }

    @Test
    fun `a client that nobody holds any more is closed by the garbage collector`() {
        val request = Request(Method.GET, Testkit.url("/?unheld"))
        assertEquals(200, Testkit.client().sendBlocking(request).status)
        val connection = Testkit.awaitRequest("/?unheld")
        val closed = CompletableFuture.supplyAsync { Testkit.awaitClosed("backend", connection) }
        awaitTrue {
            System.gc()
            closed.isDone
        }
        closed.get()
    }

    @Test
    fun `failed calls are ended like others`() {
        Testkit.client().use { client ->
            assertThrows<PinfoldException.InvalidUrl> {
                client.sendBlocking(Request(Method.GET, "nonsense"))
            }
        }
        awaitNoCalls()
    }

    /** With a trust object: Android's library knows no other system's authorities. */
    private fun ffiClient() =
        ClientConfig().let { FfiClient(Testkit.pins.native, it.settings(), it.trust()) }

    private fun letters(size: Int) = ByteArray(size) { ('a' + it % 26).code.toByte() }
}

/** Waits until every call has ended: those of cancelled coroutines do so a little later. */
fun awaitNoCalls() = awaitTrue { NativeCall.running.isEmpty() }

fun awaitTrue(condition: () -> Boolean) {
    val start = TimeSource.Monotonic.markNow()
    while (!condition()) {
        assertTrue(start.elapsedNow() < 10.seconds, "not within 10 s")
        LockSupport.parkNanos(10.milliseconds.inWholeNanoseconds)
    }
}
