package dev.pinfold

import dev.pinfold.PinfoldException.Timeout.Phase
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.net.InetAddress
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.milliseconds

/** Sessions, cookies, tokens, retries, and who finds addresses. */
class SessionTest {
    @TempDir
    lateinit var folder: File

    @Test
    suspend fun `sessions share neither connections nor cookies`() {
        Testkit.client { cookies = CookieJar() }.use { client ->
            val alice = client.session { cookies = CookieJar() }
            val bob = client.session { cookies = CookieJar() }
            val without = client.session()
            for ((who, name) in listOf(alice to "alice", bob to "bob", without to "nobody")) {
                who.get(Testkit.url(answer("Set-Cookie: id=$name; Path=/")))
            }
            val seen =
                listOf(alice, bob, without, client).map {
                    it.get(Testkit.url("/echo")).json<JsonObject>()
                }
            assertEquals(
                listOf(listOf("id=alice"), listOf("id=bob"), emptyList(), emptyList()),
                seen.map { it.header("cookie") },
            )
            assertEquals(4, seen.map { it.getValue("connection") }.toSet().size)
            alice.close()
            assertThrows<PinfoldException.ClientClosed> {
                alice.sendBlocking(Request(Method.GET, Testkit.url("/")))
            }
            bob.get(Testkit.url("/"))
            client.close()
            assertThrows<PinfoldException.ClientClosed> {
                bob.sendBlocking(Request(Method.GET, Testkit.url("/")))
            }
            assertThrows<PinfoldException.ClientClosed> { client.session() }
        }
    }

    @Test
    suspend fun `a jar outlives the process where servers say so, and shows what it holds`() {
        val file = File(folder, "cookies")
        val jar = CookieJar(file)
        assertTrue(jar.set(Testkit.url("/"), "id=s3cret; Max-Age=60; Secure; HttpOnly"))
        assertTrue(jar.set(Testkit.url("/"), "session=1"))
        assertFalse(jar.set(Testkit.url("/"), "other=1; Domain=other.test"))
        assertEquals("id=s3cret; session=1", jar.header(Testkit.url("/")))
        assertNull(jar.header("https://other.test/"))
        jar.save()
        val again = CookieJar(file)
        val cookie = again.cookies().single()
        val told = cookie.run { listOf(name, value, domain, path) }
        assertEquals(listOf("id", "s3cret", Testkit.HOST, "/"), told)
        assertTrue(cookie.isHostOnly && cookie.isSecure && cookie.isHttpOnly)
        assertTrue(cookie.expires != null)
        assertFalse("$cookie".contains("s3cret"))
        Testkit.client { cookies = again }.use {
            val seen = it.get(Testkit.url("/echo")).json<JsonObject>()
            assertEquals(listOf("id=s3cret"), seen.header("cookie"))
        }
        again.clear()
        assertTrue(CookieJar(file).cookies().isEmpty())
        assertThrows<PinfoldException.InvalidUrl> { jar.header("nowhere") }
        val error = assertThrows<PinfoldException.IoFailed> { CookieJar(folder) }
        assertEquals("cookies", error.place)
    }

    @Test
    suspend fun `many calls that are refused at once ask for one token`() {
        val asked = AtomicInteger()
        val client =
            Testkit.client {
                baseUrl = Testkit.url("/")
                authenticator =
                    Authenticator { refused ->
                        assertEquals(asked.get() > 0, refused?.authorization == "Bearer 1")
                        // Else one that hangs would keep the JVM from ending.
                        assertTrue(Thread.currentThread().isDaemon)
                        "Bearer ${asked.incrementAndGet()}"
                    }
            }
        client.use {
            assertEquals(200, client.get("guarded/1").status)
            val all =
                coroutineScope {
                    List(16) { async { client.get("guarded/2").status } }.awaitAll()
                }
            assertEquals(List(16) { 200 }, all)
            assertEquals(2, asked.get())
        }
    }

    @Test
    suspend fun `what an authenticator throws is an error of the call, and null is none`() {
        val answers =
            ArrayDeque<() -> String?>(
                listOf(
                    { throw OutOfMemoryError("s3cret") },
                    { error("s3cret") },
                    { "Bearer\nX: s3cret" },
                    { null },
                ),
            )
        val client =
            Testkit.client {
                baseUrl = Testkit.url("/")
                authenticator = Authenticator { answers.removeFirst()() }
            }
        client.use {
            repeat(3) {
                val error =
                    assertThrows<PinfoldException.IoFailed> {
                        client.sendBlocking(Request(Method.GET, "guarded/1"))
                    }
                assertEquals("authenticator", error.place)
                assertFalse("$error".contains("s3cret"))
            }
            assertEquals(401, client.get("guarded/1").status)
        }
        val error =
            assertThrows<PinfoldException.InvalidConfig> {
                Testkit.client { authenticator = Authenticator { null } }
            }
        assertEquals("authenticator", error.place)
    }

    @Test
    suspend fun `what failed for a moment is sent again where that is safe`() {
        Testkit.client { retries = 2 }.use { client ->
            val path = "/in-turn/503,200?kotlin&fields=Retry-After:0"
            assertEquals(200, client.get(Testkit.url(path)).status)
            val post = "/in-turn/503,200?kotlin-post"
            assertEquals(503, client.post(Testkit.url(post)) { body("pay") }.status)
        }
    }

    @Test
    suspend fun `a listener is told of each call, and what it throws changes nothing`() {
        val told = mutableListOf<String>()
        val client =
            Testkit.client {
                retries = 1
                listener =
                    CallListener { event ->
                        told +=
                            when (event) {
                                is CallEvent.Begun -> "${event.method} ${event.host}"
                                is CallEvent.Connected -> "connected ${event.isReused}"
                                is CallEvent.Retried -> "retried ${event.before} ${event.cause}"
                                is CallEvent.Answered -> "${event.status}"
                                is CallEvent.Failed -> event.code
                                is CallEvent.Redirected -> "to ${event.to}"
                                is CallEvent.TokenRenewed -> "renewed"
                            }
                        throw OutOfMemoryError("in the app's code")
                    }
            }
        client.use {
            it.get(Testkit.url("/in-turn/503,200?listened&fields=Retry-After:0"))
        }
        val expected =
            listOf(
                "GET ${Testkit.HOST}",
                "connected false",
                "retried 0 503",
                "connected true",
                "200",
            )
        assertEquals(expected, told)
    }

    @Test
    fun `each phase has a time of its own`() {
        val short = 100.milliseconds
        for ((phase, configure) in listOf<Pair<Phase, ClientConfig.() -> Unit>>(
            Phase.FIRST_BYTE to { firstByteTimeout = short },
            Phase.READ to { readTimeout = short },
        )) {
            Testkit.client(configure = configure).use { client ->
                val error =
                    assertThrows<PinfoldException.Timeout> {
                        client.sendBlocking(Request(Method.GET, Testkit.url("/hang")))
                    }
                assertEquals(phase, error.phase)
            }
        }
        for ((place, configure) in listOf<Pair<String, ClientConfig.() -> Unit>>(
            "queue_timeout" to { queueTimeout = 2.days },
            "lookup_timeout" to { lookupTimeout = 2.days },
            "tls_timeout" to { tlsTimeout = 2.days },
            "first_byte_timeout" to { firstByteTimeout = (-1).milliseconds },
            "retries" to { retries = 21 },
        )) {
            val error =
                assertThrows<PinfoldException.InvalidConfig> {
                    Testkit.client(
                        configure = configure,
                    )
                }
            assertEquals(place, error.place)
        }
    }

    @Test
    suspend fun `a resolver of the app is asked, and whatever it throws is no address`() {
        fun client(resolver: Resolver): PinnedClient {
            val pins =
                PinSet.build {
                    host(Testkit.HOST) {
                        pin(Testkit.pin("backend"))
                        backup(Testkit.pin("backup"))
                    }
                }
            return PinnedClient(pins) {
                roots = Roots.Only(listOf(Testkit.certificate("root")))
                this.resolver = resolver
            }
        }
        val url = "https://${Testkit.HOST}:${Testkit.port("backend")}/"
        val loopback = InetAddress.getByName("127.0.0.1")
        client { host ->
            assertTrue(Thread.currentThread().isDaemon)
            if (host == Testkit.HOST) listOf(loopback) else emptyList()
        }.use {
            it.preconnect(url)
            assertEquals(200, it.get(url).status)
            assertThrows<PinfoldException.HostNotPinned> {
                runBlocking { it.preconnect("https://elsewhere.test/") }
            }
        }
        val nobody = Resolver { emptyList() }
        val broken = Resolver { throw StackOverflowError("s3cret") }
        for (resolver in listOf(nobody, broken)) {
            client(resolver).use {
                val error =
                    assertThrows<PinfoldException> { it.sendBlocking(Request(Method.GET, url)) }
                // Where there is no network at all, that is the reason.
                assertTrue(error.code in listOf("dns_failed", "offline"), "$error")
                assertFalse("$error".contains("s3cret"))
            }
        }
    }

    private fun answer(field: String): String {
        val head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n$field\r\n\r\n"
        return "/hex/" + head.encodeToByteArray().joinToString("") { "%02x".format(it) }
    }

    private fun JsonObject.header(name: String) =
        getValue("headers")
            .jsonArray
            .map { field -> field.jsonArray.map { it.jsonPrimitive.content } }
            .filter { it[0].equals(name, ignoreCase = true) }
            .map { it[1] }
}
