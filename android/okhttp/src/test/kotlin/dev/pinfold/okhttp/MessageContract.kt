package dev.pinfold.okhttp

import okhttp3.Call
import okhttp3.Callback
import okhttp3.EventListener
import okhttp3.Protocol
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.IOException
import java.net.ProtocolException
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.TimeUnit

/** What a request and an answer say beside their bodies, and who is told. */
class MessageContract(
    way: Way,
) : Contract(way) {
    @Test
    fun `a request has OkHttp's name, or its own`() {
        repeat(2) { answer() }
        send().close()
        send { header("User-Agent", "me") }.close()
        assertTrue(checkNotNull(received().headers["User-Agent"]).startsWith("okhttp/5."))
        assertEquals(listOf("me"), received().headers.values("User-Agent"))
    }

    @Test
    fun `headers come in order, and as often as they are there`() {
        answer {
            addHeader("X-Two", "1")
            addHeader("X-Two", "2")
        }
        send { header("X-One", "1").addHeader("X-One", "2") }.use {
            assertEquals(listOf("1", "2"), it.headers("x-two"))
        }
        assertEquals(listOf("1", "2"), received().headers.values("X-One"))
    }

    @Test
    fun `the path and the query are sent as they are, the fragment is not`() {
        answer()
        send("/a%2Fb/c?d=e%20f&g=%C3%BC&h#i").close()
        assertEquals("/a%2Fb/c?d=e%20f&g=%C3%BC&h", received().target)
    }

    @Test
    fun `the host is that of the URL`() {
        answer()
        send().close()
        assertEquals("${Pki.HOST}:${server.port}", received().headers["Host"])
    }

    @Test
    fun `a host of its own`() {
        answer()
        val work = { send { header("Host", "other.test") }.close() }
        // Difference.HOST_HEADER
        if (way == Way.INTERCEPTOR) {
            fails<ProtocolException> { work() }
        } else {
            work()
            assertEquals("other.test", received().headers["Host"])
        }
    }

    @Test
    fun `an answer has a protocol, and times, and no more from a cache`() {
        answer()
        send().use {
            assertEquals(Protocol.HTTP_1_1, it.protocol)
            assertTrue(it.sentRequestAtMillis in 1..it.receivedResponseAtMillis)
            assertNull(it.cacheResponse)
            assertEquals(200, it.networkResponse?.code)
        }
    }

    @Test
    fun `an answer's reason`() {
        answer { status("HTTP/1.1 200 Fine") }
        // Difference.REASON_PHRASE
        val reason = if (way == Way.INTERCEPTOR) "" else "Fine"
        send().use { assertEquals(reason, it.message) }
    }

    @Test
    fun `a request keeps its tags, and a call knows its request`() {
        answer()
        val call = http.newCall(request { tag(String::class, "mine") })
        call.execute().use { assertEquals("mine", it.request.tag(String::class)) }
        assertEquals("mine", call.request().tag(String::class))
        assertTrue(call.isExecuted())
    }

    @Test
    fun `a call on another thread gets its answer`() {
        answer { body("there") }
        val got = CompletableFuture<String>()
        http.newCall(request()).enqueue(
            object : Callback {
                override fun onFailure(
                    call: Call,
                    e: IOException,
                ) {
                    got.completeExceptionally(e)
                }

                override fun onResponse(
                    call: Call,
                    response: Response,
                ) {
                    got.complete(response.use { it.body.string() })
                }
            },
        )
        assertEquals("there", got.get(SECONDS, TimeUnit.SECONDS))
    }

    @Test
    fun `an app's interceptors see request and answer`() {
        answer { setHeader("X-Seen", "server") }
        val seen = CopyOnWriteArrayList<Request>()
        val client =
            client {
                addInterceptor { chain ->
                    val request =
                        chain
                            .request()
                            .newBuilder()
                            .header("X-Added", "1")
                            .build()
                    seen += request
                    chain
                        .proceed(request)
                        .newBuilder()
                        .header("X-Answered", "1")
                        .build()
                }
            }
        send(client = client).use {
            assertSame(seen.single().url, it.request.url)
            assertEquals("server" to "1", it.header("X-Seen") to it.header("X-Answered"))
        }
        assertEquals("1", received().headers["X-Added"])
    }

    @Test
    fun `an event listener is told of the parts`() {
        answer { body("there") }
        val told = CopyOnWriteArrayList<String>()
        val client = client { eventListener(Told(told)) }
        send(client = client) { post("body".toRequestBody()) }.use { it.body.string() }
        val expected =
            listOf(
                "callStart",
                "requestHeadersStart",
                "requestHeadersEnd",
                "requestBodyStart",
                "requestBodyEnd 4",
                "responseHeadersStart",
                "responseHeadersEnd 200",
                "responseBodyStart",
                "responseBodyEnd 5",
                "callEnd",
            )
        // By the interceptor a call ends with its head.
        assertEquals(expected.sorted(), told.sorted())
        if (way != Way.INTERCEPTOR) assertEquals(expected, told)
    }

    @Test
    fun `what an app's own code throws is an IOException by Pinfold`() {
        val client = client { authenticator { _, _ -> error("a bug") } }
        answer(401)
        when (way) {
            Way.INTERCEPTOR -> {
                fails<IOException> { send(client = client) }
            }

            else -> {
                val error = runCatching { send(client = client) }.exceptionOrNull()
                assertTrue(error is IllegalStateException)
            }
        }
    }

    private class Told(
        private val told: MutableList<String>,
    ) : EventListener() {
        override fun callStart(call: Call) = add("callStart")

        override fun callEnd(call: Call) = add("callEnd")

        override fun requestHeadersStart(call: Call) = add("requestHeadersStart")

        override fun requestHeadersEnd(
            call: Call,
            request: Request,
        ) = add("requestHeadersEnd")

        override fun requestBodyStart(call: Call) = add("requestBodyStart")

        override fun requestBodyEnd(
            call: Call,
            byteCount: Long,
        ) = add("requestBodyEnd $byteCount")

        override fun responseHeadersStart(call: Call) = add("responseHeadersStart")

        override fun responseHeadersEnd(
            call: Call,
            response: Response,
        ) = add("responseHeadersEnd ${response.code}")

        override fun responseBodyStart(call: Call) = add("responseBodyStart")

        override fun responseBodyEnd(
            call: Call,
            byteCount: Long,
        ) = add("responseBodyEnd $byteCount")

        private fun add(what: String) {
            told += what
        }
    }
}
