package dev.pinfold.bench

import com.sun.management.OperatingSystemMXBean
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import java.lang.management.ManagementFactory
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread

/** One way of sending requests: sends one, and says how long the body is. */
internal sealed interface Caller {
    /** On the calling thread. */
    class Blocking(
        val send: () -> Int,
    ) : Caller

    /** As a suspend function. */
    class Suspending(
        val send: suspend () -> Int,
    ) : Caller
}

/** What is asked for; as in `benches/src/load.rs`. */
internal enum class Case(
    val path: String,
    val length: Int = 1 shl 10,
) {
    SMALL("/1k"),
    LARGE("/10m", 10 shl 20),
    FULL("/1k"),
    RESUMED("/close/1k"),
}

/**
 * Kotlin's clients under load, one measurement a line of standard input: `CLIENT⇥CASE⇥IN
 * FLIGHT⇥COUNT` is answered by `WALL⇥CPU`, in microseconds for all COUNT requests; CPU is that of
 * this process, on all its threads. `scripts/load.py` gives the orders.
 */
fun main() {
    Clients().use { clients ->
        for (line in generateSequence(::readlnOrNull)) {
            val (client, case, inFlight, count) = line.split('\t')
            val kind = Case.valueOf(case.uppercase())
            val (wall, cpu) =
                measured {
                    run(
                        clients.caller(client, kind),
                        kind,
                        inFlight.toInt(),
                        count.toInt(),
                    )
                }
            println("%.1f\t%.1f".format(wall, cpu))
        }
    }
}

private fun run(
    caller: Caller,
    case: Case,
    inFlight: Int,
    count: Int,
) {
    val left = AtomicInteger(count)
    val expect = { length: Int -> check(length == case.length) { "$length bytes" } }
    when (caller) {
        is Caller.Blocking -> {
            List(inFlight) { thread { while (left.getAndDecrement() > 0) expect(caller.send()) } }
                .forEach { it.join() }
        }

        // What an app's view models run on, or what is left of them beside the main thread.
        is Caller.Suspending -> {
            runBlocking(Dispatchers.Default) {
                repeat(inFlight) {
                    launch { while (left.getAndDecrement() > 0) expect(caller.send()) }
                }
            }
        }
    }
}

private val system = ManagementFactory.getOperatingSystemMXBean() as OperatingSystemMXBean

/** How long [block] takes and how much of a processor, in microseconds. */
private fun measured(block: () -> Unit): Pair<Double, Double> {
    val begun = System.nanoTime()
    val used = system.processCpuTime
    block()
    return Pair((System.nanoTime() - begun) / 1e3, (system.processCpuTime - used) / 1e3)
}
