package dev.pinfold

import org.junit.Assert.assertTrue
import java.util.concurrent.locks.LockSupport
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** Waits for what happens on another thread without a word. */
fun awaitTrue(condition: () -> Boolean) {
    val start = TimeSource.Monotonic.markNow()
    while (!condition()) {
        assertTrue("not within 10 s", start.elapsedNow() < 10.seconds)
        LockSupport.parkNanos(10.milliseconds.inWholeNanoseconds)
    }
}

/** Trusts what testkit's servers present, and finds the one for updates. */
fun UpdaterConfig.onTestkit() {
    roots = Roots.Only(listOf(Testkit.certificate("root")))
    connectTo(App.UPDATES, 443, "127.0.0.1:${Testkit.port(App.SERVER)}")
}
