package dev.pinfold

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.supervisorScope
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ExecutionException
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

class CancellationTest {
    @Test
    suspend fun `a cancelled coroutine closes its connection at once`() =
        supervisorScope {
            Testkit.client().use { client ->
                val call = async(Dispatchers.Default) { client.get(Testkit.url("/hang?cancel")) }
                val connection = Testkit.awaitRequest("/hang?cancel")
                val taken =
                    measureTime {
                        call.cancel()
                        assertThrows<CancellationException> { call.await() }
                    }
                assertTrue(taken < 1.seconds, "took $taken")
                Testkit.awaitClosed("backend", connection)
                assertEquals(200, client.get(Testkit.url("/")).status)
            }
        }

    @Test
    suspend fun `a coroutine's own timeout ends the call`() {
        Testkit.client().use { client ->
            val taken =
                measureTime {
                    assertNull(
                        withTimeoutOrNull(200.milliseconds) { client.get(Testkit.url("/hang")) },
                    )
                }
            assertTrue(taken < 2.seconds, "took $taken")
        }
    }

    @Test
    suspend fun `cancelled calls leave no thread blocked and no call behind`() =
        coroutineScope {
            Testkit.client().use { client ->
                // More at once than there are threads for blocking.
                repeat(3) { round ->
                    val url = Testkit.url("/hang?round$round")
                    val calls = List(100) { async(Dispatchers.Default) { client.get(url) } }
                    Testkit.awaitRequest("/hang?round$round")
                    calls.forEach { it.cancel() }
                    assertEquals(200, client.get(Testkit.url("/")).status)
                }
            }
            awaitNoCalls()
        }

    @Test
    suspend fun `slow servers do not block the app's own IO`() =
        coroutineScope {
            Testkit.client().use { client ->
                val slow =
                    List(64) {
                        async(Dispatchers.Default) { client.get(Testkit.url("/hang?slow$it")) }
                    }
                repeat(64) { Testkit.awaitRequest("/hang?slow$it") }
                withTimeout(5.seconds) { withContext(Dispatchers.IO) { } }
                slow.forEach { it.cancel() }
            }
        }

    @Test
    fun `a token ends a blocking call`() {
        Testkit.client().use { client ->
            val token = CancelToken()
            val call = blocking(client, "/hang?token", token)
            val connection = Testkit.awaitRequest("/hang?token")
            token.cancel()
            val error = assertThrows<ExecutionException> { call.get() }.cause
            assertEquals("cancelled", (error as PinfoldException.Cancelled).code)
            Testkit.awaitClosed("backend", connection)
            assertTrue(token.isCancelled)
        }
    }

    @Test
    fun `a token ends every call that has it, at once or one after the other`() {
        Testkit.client().use { client ->
            val token = CancelToken()
            val done = client.sendBlocking(Request(Method.GET, Testkit.url("/")), token)
            assertEquals(200, done.status)
            val calls = List(2) { blocking(client, "/hang?shared$it", token) }
            val other = blocking(client, "/hang?other", CancelToken())
            val connections = List(2) { Testkit.awaitRequest("/hang?shared$it") }
            Testkit.awaitRequest("/hang?other")
            token.cancel()
            for (call in calls + blocking(client, "/hang?late", token)) {
                val error = assertThrows<ExecutionException> { call.get() }.cause
                assertInstanceOf<PinfoldException.Cancelled>(error)
            }
            connections.forEach { Testkit.awaitClosed("backend", it) }
            assertFalse(other.isDone)
        }
    }

    @Test
    fun `a token that is cancelled already ends the call before it is sent`() {
        val token = CancelToken().apply { cancel() }
        Testkit.client().use { client ->
            val request = Request(Method.GET, Testkit.url("/"))
            assertThrows<PinfoldException.Cancelled> { client.sendBlocking(request, token) }
            assertEquals(200, client.sendBlocking(request, CancelToken()).status)
        }
    }

    @Test
    fun `closing the client ends its calls, and they say why`() {
        val client = Testkit.client()
        val call = blocking(client, "/hang?close", null)
        Testkit.awaitRequest("/hang?close")
        client.close()
        val error = assertThrows<ExecutionException> { call.get() }.cause
        assertEquals("client_closed", (error as PinfoldException.ClientClosed).code)
    }

    private fun blocking(
        client: PinnedClient,
        path: String,
        token: CancelToken?,
    ) = CompletableFuture.supplyAsync(
        { client.sendBlocking(Request(Method.GET, Testkit.url(path)), token) },
        { Thread(it).start() }, // the common pool has a thread for each core but one
    )
}
