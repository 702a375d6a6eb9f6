package dev.pinfold

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import java.lang.ref.WeakReference
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit.SECONDS

/** Who is told of events and when, and the end of an updater. */
class UpdaterListenerTest {
    private val app = App(1, "backend")

    @Test
    fun `a listener has a thread of its own and may wait there for the updater`() {
        val threads = LinkedBlockingQueue<Thread>()
        val refreshed = CompletableFuture<Refreshed>()
        lateinit var updater: PinSetUpdater
        updater =
            app.updater {
                onEvent = {
                    threads.put(Thread.currentThread())
                    // In the middle of a fetch this would wait for itself.
                    refreshed.complete(updater.refreshBlocking())
                }
            }
        App.publish(2, "rotated")
        assertEquals(Refreshed.UPDATED, updater.refreshBlocking())
        // Of the same fetch where that has not quite ended, else of another one.
        assertNotNull(refreshed.get(10, SECONDS))
        val thread = threads.take()
        assertNotEquals(Thread.currentThread(), thread)
        assertEquals(true, thread.isDaemon)
        updater.close()
    }

    @Test
    fun `one that blocks holds up nobody but itself, and events keep their order`() {
        val events = Events()
        val release = CountDownLatch(1)
        val updater =
            app.updater {
                onEvent = {
                    release.await()
                    events(it)
                }
            }
        try {
            for (version in 2..4) {
                App.publish(version, "rotated")
                assertEquals(Refreshed.UPDATED, updater.refreshBlocking())
            }
        } finally {
            release.countDown()
        }
        for (version in 2L..4L) {
            val event = assertInstanceOf<UpdateEvent.Updated>(events.next())
            assertEquals(version, event.order.pinset)
        }
        updater.close()
    }

    @Test
    fun `what a listener throws is ignored`() {
        for (failure in listOf(IllegalStateException("no"), StackOverflowError())) {
            val events = Events()
            val updater =
                app.updater {
                    onEvent = {
                        events(it)
                        throw failure
                    }
                }
            for (version in 2..3) {
                App.publish(version, "rotated")
                assertEquals(Refreshed.UPDATED, updater.refreshBlocking())
                assertInstanceOf<UpdateEvent.Updated>(events.next())
            }
            updater.close()
        }
    }

    @Test
    suspend fun `a closed updater says so, and its clients live on without a word`() {
        val events = Events()
        val updater = app.updater { onEvent = events }
        val client = updater.client("rotated")
        App.publish(2, "rotated")
        updater.close()
        updater.close()
        val calls =
            listOf<suspend () -> Any?>(
                { updater.refresh() },
                { updater.refreshIfDue() },
                { updater.refreshBlocking() },
                { updater.refreshIfDueBlocking() },
                { updater.status() },
                { updater.pins },
                { PinnedClient(updater) },
            )
        for ((i, call) in calls.withIndex()) {
            val error = assertThrows<IllegalStateException>("$i") { call() }
            assertEquals("the updater is closed", error.message)
        }
        // It heals as ever.
        assertInstanceOf<Pinning.Matched>(client.get(Testkit.url("/")).pinning)
        client.close()
        // What it would have been told is past when another one is told something.
        val others = Events()
        app.updater { onEvent = others }.use { other ->
            other.refresh()
            others.next()
        }
        assertNull(events.poll())
    }

    @Test
    fun `once it is closed and its clients are, nothing of it is held`() {
        fun usedAndClosed(): List<WeakReference<Any>> {
            val listener = Events()
            val managed = ManagedConfiguration { "$listener" }
            val updater =
                app.updater {
                    onEvent = listener
                    managedConfiguration = managed
                }
            App.publish(2, "rotated")
            updater.client("rotated").use { client ->
                client.sendBlocking(Request(Method.GET, Testkit.url("/")))
            }
            updater.close()
            return listOf(WeakReference(listener), WeakReference(managed))
        }
        for (reference in usedAndClosed()) {
            awaitTrue {
                System.gc()
                reference.get() == null
            }
        }
    }
}
