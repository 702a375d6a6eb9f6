package dev.pinfold.okhttp

import mockwebserver3.SocketEffect
import okhttp3.Call
import okhttp3.Callback
import okhttp3.MediaType
import okhttp3.RequestBody
import okhttp3.Response
import okio.BufferedSink
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import java.io.IOException
import java.io.InterruptedIOException
import java.net.SocketTimeoutException
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread

/** Cancellation and timeouts. Whatever is not ended by them would hang until the test is. */
@Timeout(20)
class TimeContract(
    way: Way,
) : Contract(way) {
    private val short = 200L

    @Test
    fun `a call that was cancelled before is not sent`() {
        val call = http.newCall(request())
        call.cancel()
        assertEquals("Canceled", fails<IOException> { call.execute() }.message)
        assertEquals(0, server.requestCount)
    }

    @Test
    fun `cancel ends the wait for an answer`() {
        answer { onResponseStart(SocketEffect.Stall) }
        val call = http.newCall(request())
        val ending =
            thread {
                received()
                call.cancel()
            }
        fails<IOException> { call.execute() }
        assertTrue(call.isCanceled())
        ending.join()
    }

    @Test
    fun `cancel ends the wait for a body`() {
        stalledBody()
        val call = http.newCall(request())
        call.execute().use { response ->
            response.body.source().require(1)
            val ending = thread { call.cancel() }
            fails<IOException> { response.body.source().readByteArray() }
            ending.join()
        }
    }

    @Test
    fun `cancel ends an upload`() {
        answer { onRequestStart(SocketEffect.Stall) }
        val begun = CountDownLatch(1)
        val endless =
            object : RequestBody() {
                override fun contentType(): MediaType? = null

                override fun writeTo(sink: BufferedSink) {
                    val piece = ByteArray(64 * 1024)
                    while (true) {
                        sink.write(piece)
                        begun.countDown()
                    }
                }
            }
        val call = http.newCall(request { post(endless) })
        val ending =
            thread {
                begun.await()
                call.cancel()
            }
        fails<IOException> { call.execute() }
        ending.join()
    }

    @Test
    fun `cancel ends a call on another thread with onFailure`() {
        answer { onResponseStart(SocketEffect.Stall) }
        val failed = CompletableFuture<IOException>()
        val call = http.newCall(request())
        call.enqueue(
            object : Callback {
                override fun onFailure(
                    call: Call,
                    e: IOException,
                ) {
                    failed.complete(e)
                }

                override fun onResponse(
                    call: Call,
                    response: Response,
                ) {
                    response.close()
                    failed.completeExceptionally(AssertionError("an answer"))
                }
            },
        )
        received()
        call.cancel()
        failed.get(SECONDS, TimeUnit.SECONDS)
    }

    @Test
    fun `a cancelled call takes no other with it`() {
        answer { onResponseStart(SocketEffect.Stall) }
        val call = http.newCall(request())
        val ending =
            thread {
                received()
                call.cancel()
            }
        fails<IOException> { call.execute() }
        ending.join()
        answer { body("there") }
        assertEquals("there", text())
        // When its call is over nothing is left to be cancelled.
        call.cancel()
    }

    @Test
    fun `the call timeout ends the wait for an answer`() {
        answer { onResponseStart(SocketEffect.Stall) }
        val client = client { callTimeout(short, TimeUnit.MILLISECONDS) }
        val error = fails<InterruptedIOException> { send(client = client) }
        assertEquals("timeout", error.message)
    }

    @Test
    fun `the call timeout ends the wait for a body`() {
        stalledBody()
        // On a busy machine a handshake takes its time, too.
        val client = client { callTimeout(10 * short, TimeUnit.MILLISECONDS) }
        send(client = client).use { response ->
            val error = fails<InterruptedIOException> { response.body.bytes() }
            assertEquals("timeout", error.message)
        }
    }

    @Test
    fun `a call's own timeout is in the place of the client's`() {
        answer { headersDelay(2 * short, TimeUnit.MILLISECONDS) }
        val client = client { callTimeout(short, TimeUnit.MILLISECONDS) }
        val call = client.newCall(request())
        call.timeout().timeout(SECONDS, TimeUnit.SECONDS)
        call.execute().use { assertEquals(200, it.code) }
    }

    @Test
    fun `the read timeout ends the wait for an answer`() {
        answer { onResponseStart(SocketEffect.Stall) }
        val client = client { readTimeout(short, TimeUnit.MILLISECONDS) }
        fails<SocketTimeoutException> { send(client = client) }
    }

    @Test
    fun `the read timeout ends the wait for a body`() {
        stalledBody()
        val client = client { readTimeout(5 * short, TimeUnit.MILLISECONDS) }
        send(client = client).use { response ->
            fails<SocketTimeoutException> { response.body.bytes() }
        }
    }

    @Test
    fun `an interceptor's read timeout holds for its call`() {
        answer { onResponseStart(SocketEffect.Stall) }
        val client =
            client {
                addInterceptor { chain ->
                    val hasty = chain.withReadTimeout(short.toInt(), TimeUnit.MILLISECONDS)
                    hasty.proceed(chain.request())
                }
            }
        fails<SocketTimeoutException> { send(client = client) }
    }

    @Test
    fun `what comes in time is not timed out`() {
        answer {
            body("0123456789")
            throttleBody(2, short / 2, TimeUnit.MILLISECONDS)
        }
        val client = client { readTimeout(20 * short, TimeUnit.MILLISECONDS) }
        assertEquals("0123456789", text(client = client))
    }

    private fun stalledBody() =
        answer {
            body("x".repeat(100_000))
            onResponseBody(SocketEffect.Stall)
        }
}
