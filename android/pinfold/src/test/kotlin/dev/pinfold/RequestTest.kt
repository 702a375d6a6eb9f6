package dev.pinfold

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.net.URLEncoder
import java.util.Base64

class RequestTest {
    @Test
    suspend fun `a GET answers with status, headers, body and URL`() {
        Testkit.client().use { client ->
            val response = client.get(Testkit.url("/bytes/30"))
            assertEquals(200, response.status)
            assertTrue(response.isSuccessful)
            assertEquals("abcdefghijklmnopqrstuvwxyzabcd", response.text())
            assertEquals(30, response.body.size)
            assertEquals("30", response.header("CONTENT-LENGTH"))
            assertEquals(listOf("30"), response.headers("Content-Length"))
            assertNull(response.header("x-absent"))
            assertEquals(Testkit.url("/bytes/30"), response.url)
        }
    }

    @Test
    suspend fun `a POST sends its headers and body`() {
        Testkit.client().use { client ->
            val echo =
                client
                    .post(Testkit.url("/echo?q=1")) {
                        header("X-One", "0")
                        header("x-one", "1")
                        addHeader("X-One", "2")
                        sensitiveHeader("X-Api-Key", "old")
                        addSensitiveHeader("X-Api-Key", "beside")
                        sensitiveHeader("x-api-key", "s3cret")
                        header("content-type", "text/html")
                        body("grüße \uD83D\uDE00", contentType = "text/plain; charset=utf-8")
                    }.json()
            assertEquals("POST", echo.text("method"))
            assertEquals("/echo?q=1", echo.text("path"))
            assertEquals("grüße \uD83D\uDE00", echo.body().decodeToString())
            assertEquals(listOf("1", "2"), echo.header("x-one"))
            assertEquals(listOf("s3cret"), echo.header("x-api-key"))
            assertEquals(listOf("text/plain; charset=utf-8"), echo.header("content-type"))
        }
    }

    @Test
    suspend fun `bodies are sent byte for byte, the empty one too`() {
        val bytes = ByteArray(1_000) { it.toByte() }
        Testkit.client().use { client ->
            val url = Testkit.url("/echo")
            assertArrayEquals(bytes, client.put(url) { body(bytes) }.json().body())
            assertArrayEquals(bytes, client.patch(url) { body(bytes) }.json().body())
            assertArrayEquals(bytes, client.delete(url) { body(bytes) }.json().body())
            val empty = client.post(url) { body(ByteArray(0)) }.json()
            assertEquals(listOf("0"), empty.header("content-length"))
            assertEquals(listOf("0"), client.post(url).json().header("content-length"))
            assertEquals(emptyList<String>(), client.delete(url).json().header("content-length"))
        }
    }

    @Test
    suspend fun `a HEAD has headers and no body`() {
        Testkit.client().use { client ->
            val response = client.head(Testkit.url("/bytes/30"))
            assertEquals("30", response.header("content-length"))
            assertEquals(0, response.body.size)
        }
    }

    @Test
    suspend fun `a status is never an error`() {
        Testkit.client().use { client ->
            for (status in listOf(204, 304, 401, 404, 500, 503)) {
                val response = client.get(Testkit.url("/status/$status"))
                assertEquals(status, response.status)
                assertEquals(status == 204, response.isSuccessful)
            }
        }
    }

    @Test
    suspend fun `gzip is decoded`() {
        Testkit.client().use { client ->
            assertArrayEquals(ByteArray(5_000), client.get(Testkit.url("/gzip/5000")).body)
        }
    }

    @Test
    suspend fun `a redirect is followed, and secrets stay at their origin`() {
        val pins =
            PinSet.build {
                host("example.test", includeSubdomains = true) {
                    pin(Testkit.pin("intermediate"))
                    backup(Testkit.pin("backup"))
                }
            }
        val elsewhere = "https://other.example.test/echo"
        Testkit
            .client(pins = pins) {
                connectTo("other.example.test", 443, "127.0.0.1:${Testkit.port("rotated")}")
            }.use { client ->
                val response =
                    client.get(Testkit.url("/redirect?to=${encoded(elsewhere)}")) {
                        header("X-Plain", "1")
                        header("Authorization", "Bearer s3cret")
                        sensitiveHeader("X-Api-Key", "s3cret")
                    }
                assertEquals(elsewhere, response.url)
                assertEquals(listOf("1"), response.json().header("x-plain"))
                assertFalse(response.text().contains("s3cret"))
            }
    }

    @Test
    suspend fun `with no redirects allowed, one is a response like others`() {
        Testkit.client { maxRedirects = 0 }.use { client ->
            val response = client.get(Testkit.url("/redirect?code=307&to=/"))
            assertEquals(307, response.status)
            assertEquals("/", response.header("Location"))
        }
    }

    @Test
    suspend fun `the User-Agent is ours or the app's`() {
        val ours = Testkit.client().use { it.get(Testkit.url("/echo")).json() }
        assertTrue(ours.header("user-agent").single().startsWith("pinfold/"))
        val own = Testkit.client { userAgent = "Shop/1.2" }
        assertEquals(
            listOf("Shop/1.2"),
            own.use { it.get(Testkit.url("/echo")).json().header("user-agent") },
        )
    }

    @Test
    suspend fun `a request says how many of its redirects are followed`() {
        Testkit.client().use { client ->
            suspend fun status(max: Int) =
                client.get(Testkit.url("/redirect?code=302&to=/")) { maxRedirects = max }.status
            assertEquals(listOf(302, 200), listOf(status(0), status(1)))
            for (wrong in listOf(-1, 51)) {
                val error = assertThrows<PinfoldException.InvalidRequest> { status(wrong) }
                assertEquals("max_redirects", error.place)
            }
        }
    }

    @Test
    fun `the blocking variant does the same on the caller's thread`() {
        val request = Request(Method.POST, Testkit.url("/echo")) { body("hello") }
        Testkit.client().use { client ->
            assertEquals(
                "hello",
                client
                    .sendBlocking(request)
                    .json()
                    .body()
                    .decodeToString(),
            )
        }
    }

    private fun encoded(text: String) = URLEncoder.encode(text, Charsets.UTF_8)

    private fun Response.json() = Json.parseToJsonElement(text()).jsonObject

    private fun JsonObject.body() = Base64.getDecoder().decode(text("body_base64"))

    private fun JsonObject.header(name: String) =
        getValue("headers")
            .jsonArray
            .map { field -> field.jsonArray.map { it.jsonPrimitive.content } }
            .filter { it[0].equals(name, ignoreCase = true) }
            .map { it[1] }
}
