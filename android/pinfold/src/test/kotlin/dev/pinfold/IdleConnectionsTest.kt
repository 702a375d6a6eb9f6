package dev.pinfold

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Test

/** What [PinnedClient.closeIdleConnections] closes, and what it leaves alone. */
class IdleConnectionsTest {
    @Test
    suspend fun `the next request makes a connection of its own`() {
        Testkit.client().use { client ->
            client.get(Testkit.url("/?idle-1"))
            val first = Testkit.awaitRequest("/?idle-1")
            client.closeIdleConnections()
            Testkit.awaitClosed("backend", first)
            // Which would not be sent again: the dead connection is not even tried.
            client.post(Testkit.url("/?idle-2"))
            client.get(Testkit.url("/?idle-3"))
            val second = Testkit.awaitRequest("/?idle-2")
            assertNotEquals(first, second)
            assertEquals(second, Testkit.awaitRequest("/?idle-3"))
        }
    }

    @Test
    suspend fun `a request in flight goes on, and its connection is closed after it`() =
        coroutineScope {
            Testkit.client().use { client ->
                val large = async(Dispatchers.IO) { client.get(Testkit.url(LARGE)) }
                val first = Testkit.awaitRequest(LARGE)
                client.closeIdleConnections()
                assertEquals(15_000_000, large.await().body.size)
                Testkit.awaitClosed("backend", first)
                client.get(Testkit.url("/?idle-4"))
                assertNotEquals(first, Testkit.awaitRequest("/?idle-4"))
            }
        }

    @Test
    fun `on a closed client it does nothing`() {
        val client = Testkit.client()
        client.close()
        client.closeIdleConnections()
    }

    private companion object {
        const val LARGE = "/bytes/15000000"
    }
}
