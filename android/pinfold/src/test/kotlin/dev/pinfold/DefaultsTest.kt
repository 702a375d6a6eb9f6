package dev.pinfold

import kotlinx.serialization.DeserializationStrategy
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.MissingFieldException
import kotlinx.serialization.builtins.serializer
import kotlinx.serialization.encoding.Decoder
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.util.Base64

/** What a client adds to its requests, methods that have no name of their own, and JSON. */
class DefaultsTest {
    @Test
    suspend fun `any token is a method, and what is none is refused`() {
        Testkit.client().use { client ->
            for (name in listOf("OPTIONS", "PROPFIND", "QUERY", "M-SEARCH")) {
                val request = Request(Method(name), Testkit.url("/echo")) { body("body") }
                val echo = client.send(request).json<JsonObject>()
                assertEquals(name, echo.text("method"))
                assertEquals("body", echo.body())
            }
            for (name in listOf("", "get", "A B", "A\r\nB", "CONNECT", "\uD800")) {
                val request = Request(Method(name), Testkit.url("/echo"))
                val error =
                    assertThrows<PinfoldException.InvalidRequest> { client.sendBlocking(request) }
                assertEquals("method", error.place)
            }
        }
        assertEquals(Method.GET, Method("GET"))
        assertEquals("GET", "${Method.GET}")
    }

    @Test
    suspend fun `URLs begin at the base, and secrets go to its server alone`() {
        val pins =
            PinSet.build {
                host("example.test", includeSubdomains = true) {
                    pin(Testkit.pin("intermediate"))
                    backup(Testkit.pin("backup"))
                }
            }
        val client =
            Testkit.client(pins = pins) {
                baseUrl = Testkit.url("/")
                defaultHeader("X-App", "7")
                defaultHeader("Authorization", "Bearer s3cret")
                sensitiveDefaultHeader("X-Key", "s3cret")
                connectTo("other.example.test", 443, "127.0.0.1:${Testkit.port("rotated")}")
            }
        client.use {
            val home = client.get("echo").json<JsonObject>()
            assertEquals(listOf("7"), home.header("x-app"))
            assertEquals(listOf("Bearer s3cret"), home.header("authorization"))
            assertEquals(listOf("s3cret"), home.header("x-key"))
            val own = client.get("/echo") { header("X-App", "own") }.json<JsonObject>()
            assertEquals(listOf("own"), own.header("x-app"))
            val away = client.get("https://other.example.test/echo")
            assertEquals(listOf("7"), away.json<JsonObject>().header("x-app"))
            assertFalse(away.text().contains("s3cret"))
            val elsewhere = Request(Method.GET, "//other.example.test/")
            assertThrows<PinfoldException.InvalidUrl> { client.sendBlocking(elsewhere) }
        }
        for ((place, configure) in listOf<Pair<String, ClientConfig.() -> Unit>>(
            "base_url" to { baseUrl = "https://api.example.test/v1" },
            "default_headers" to { defaultHeader("Authorization", "Bearer s3cret") },
        )) {
            val error =
                assertThrows<PinfoldException.InvalidConfig> {
                    Testkit.client(
                        configure = configure,
                    )
                }
            assertEquals(place, error.place)
            assertFalse("$error".contains("s3cret"))
        }
    }

    @Test
    suspend fun `JSON goes both ways, and what is wrong with it is told without it`() {
        Testkit.client().use { client ->
            val order = 7 to "Größe"
            val sent = client.post(Testkit.url("/echo")) { json(order) }.json<JsonObject>()
            assertEquals(listOf("application/json"), sent.header("content-type"))
            assertEquals("""{"first":7,"second":"Größe"}""", sent.body())
            val patch =
                client.patch(Testkit.url("/echo")) {
                    header("content-type", "application/merge-patch+json")
                    json(mapOf("first" to 7), Json { prettyPrint = true })
                }
            val echo = patch.json<JsonObject>()
            assertEquals(listOf("application/merge-patch+json"), echo.header("content-type"))

            assertEquals(
                order,
                client.answer("""{"first":7,"second":"Größe"}""").json<Pair<Int, String>>(),
            )
            for (bad in listOf(
                """{"first":"s3cret","second":""}""",
                "s3cret",
                "",
                """{"first":7""",
            )) {
                val response = client.answer(bad)
                val error =
                    assertThrows<PinfoldException.InvalidResponse> {
                        response.json<Pair<Int, String>>()
                    }
                assertEquals(Testkit.HOST, error.host)
                assertFalse("$error".contains("s3cret"))
                assertNull(error.cause)
            }
            val part = client.answer("{}")
            val error =
                assertThrows<PinfoldException.InvalidResponse> {
                    part.readJson(Json, WithoutNote)
                }
            assertEquals(
                "${Testkit.HOST} sent an unusable response: its body: JSON without note",
                error.message,
            )
        }
    }

    /** As the compiler's plugin makes them for types that are annotated. */
    @OptIn(ExperimentalSerializationApi::class)
    private object WithoutNote : DeserializationStrategy<String> {
        override val descriptor = String.serializer().descriptor

        override fun deserialize(decoder: Decoder): String =
            throw MissingFieldException("note", "Order")
    }

    private suspend fun PinnedClient.answer(body: String): Response {
        val bytes = body.encodeToByteArray()
        val head = "HTTP/1.1 200 OK\r\nContent-Length: ${bytes.size}\r\n\r\n".encodeToByteArray()
        val hex = (head + bytes).joinToString("") { "%02x".format(it) }
        return get(Testkit.url("/hex/$hex"))
    }

    private fun JsonObject.body() = Base64.getDecoder().decode(text("body_base64")).decodeToString()

    private fun JsonObject.header(name: String) =
        getValue("headers")
            .jsonArray
            .map { field -> field.jsonArray.map { it.jsonPrimitive.content } }
            .filter { it[0].equals(name, ignoreCase = true) }
            .map { it[1] }
}
