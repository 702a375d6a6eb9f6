package dev.pinfold.ktor

import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.okhttp.Pki
import io.ktor.client.HttpClient
import io.ktor.client.engine.ProxyBuilder
import io.ktor.client.plugins.websocket.WebSockets
import io.ktor.client.plugins.websocket.webSocket
import io.ktor.client.request.get
import io.ktor.http.Url
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

/** What the engine does not do is said at once. */
class EngineTest {
    @Test
    fun `an engine needs a client`() {
        assertThrows<IllegalArgumentException> { HttpClient(Pinfold) }
    }

    @Test
    fun `a proxy is the client's`() {
        PinnedClient(Pki.pins()).use { pinned ->
            assertThrows<IllegalArgumentException> {
                HttpClient(Pinfold) {
                    engine {
                        client = pinned
                        proxy = ProxyBuilder.http(Url("http://localhost:1"))
                    }
                }
            }
        }
    }

    @Test
    suspend fun `WebSockets are refused`() {
        PinnedClient(Pki.pins()).use { pinned ->
            HttpClient(Pinfold) {
                engine { client = pinned }
                install(WebSockets)
            }.use { http ->
                val error =
                    assertThrows<IllegalArgumentException> { http.webSocket("wss://a.test/") {} }
                assertEquals(true, "WebSocketCapability" in error.message.orEmpty())
            }
        }
    }

    @Test
    suspend fun `nothing is sent in the clear`() {
        PinnedClient(Pki.pins()).use { pinned ->
            HttpClient(Pinfold) { engine { client = pinned } }.use { http ->
                assertThrows<PinfoldException.InvalidUrl> { http.get("http://a.test/") }
            }
        }
    }
}
