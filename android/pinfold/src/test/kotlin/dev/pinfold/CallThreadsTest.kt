package dev.pinfold

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.util.concurrent.CountDownLatch
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

/** Which threads suspended requests run on, and what happens where there is none. */
class CallThreadsTest {
    @Test
    suspend fun `70 long polls do not delay a short call with a timeout of 2 s`() =
        coroutineScope {
            Testkit.client().use { client ->
                val polls =
                    List(70) {
                        async(Dispatchers.Default) {
                            client.get(Testkit.url("/hang?poll$it")) {
                                timeout = 5.minutes
                                readTimeout = Duration.ZERO
                            }
                        }
                    }
                repeat(70) { Testkit.awaitRequest("/hang?poll$it") }
                val taken =
                    measureTime {
                        val short = client.get(Testkit.url("/")) { timeout = 2.seconds }
                        assertEquals(200, short.status)
                    }
                assertTrue(taken < 2.seconds, "took $taken")
                polls.forEach { it.cancel() }
            }
        }

    @Test
    suspend fun `a call that finds no thread waits for one, but not past its timeout`() =
        coroutineScope {
            Testkit.client().use { client ->
                var reserved = 0
                try {
                    // All, as soon as the calls of earlier tests have let go of theirs.
                    repeat(CallThreads.MAX) {
                        assertTrue(CallThreads.reserve(1.minutes))
                        reserved++
                    }
                    val error =
                        assertThrows<PinfoldException.Timeout> {
                            client.get(Testkit.url("/")) { timeout = 50.milliseconds }
                        }
                    assertEquals("timeout_total", error.code)
                    assertEquals(Testkit.HOST, error.host)
                    launch { client.get(Testkit.url("/")) }.cancelAndJoin()

                    val waiting = async { client.get(Testkit.url("/")) }
                    CallThreads.release()
                    reserved--
                    assertEquals(200, waiting.await().status)
                } finally {
                    repeat(reserved) { CallThreads.release() }
                }
                // Neither the one that gave up nor the one that was cancelled has kept a thread.
                repeat(CallThreads.MAX) { assertTrue(CallThreads.reserve(1.minutes)) }
                assertFalse(CallThreads.tryReserve())
                repeat(CallThreads.MAX) { CallThreads.release() }
            }
        }

    @Test
    suspend fun `there are never more threads than may be`() =
        coroutineScope {
            val (running, most) = List(2) { AtomicInteger() }
            repeat(4) {
                val full = CountDownLatch(CallThreads.MAX)
                val ended = CountDownLatch(2 * CallThreads.MAX)
                repeat(2 * CallThreads.MAX) {
                    launch(Dispatchers.Default) {
                        assertTrue(CallThreads.reserve(1.minutes))
                        CallThreads.run {
                            most.accumulateAndGet(running.incrementAndGet(), ::maxOf)
                            // The first half waits for each other, so that each needs a thread.
                            full.countDown()
                            full.await()
                            running.decrementAndGet()
                            CallThreads.release()
                            ended.countDown()
                        }
                    }
                }
                ended.await()
                assertTrue(CallThreads.count <= CallThreads.MAX, "${CallThreads.count} threads")
            }
            assertEquals(CallThreads.MAX, most.get())
        }
}
