package dev.pinfold

import com.github.unidbg.AndroidEmulator
import com.github.unidbg.Emulator
import com.github.unidbg.arm.ARM
import com.github.unidbg.arm.backend.Backend
import com.github.unidbg.arm.backend.BackendException
import com.github.unidbg.arm.backend.Unicorn2Factory
import com.github.unidbg.arm.context.RegisterContext
import com.github.unidbg.linux.ARM32SyscallHandler
import com.github.unidbg.linux.ARM64SyscallHandler
import com.github.unidbg.linux.android.AndroidARM64Emulator
import com.github.unidbg.linux.android.AndroidARMEmulator
import com.github.unidbg.linux.thread.FutexWaiter
import com.github.unidbg.memory.SvcMemory
import com.github.unidbg.thread.ThreadContextSwitchException
import com.sun.jna.Pointer
import unicorn.Arm64Const
import unicorn.ArmConst
import java.nio.ByteBuffer

/** An emulator whose kernel knows [SystemCalls], too. */
fun emulator(is64Bit: Boolean): AndroidEmulator {
    val name = "dev.pinfold"
    val processor = listOf(Processor())
    return if (is64Bit) {
        object : AndroidARM64Emulator(name, null, processor) {
            override fun createSyscallHandler(memory: SvcMemory) =
                object : ARM64SyscallHandler(memory) {
                    override fun handleSyscall(
                        emulator: Emulator<*>,
                        number: Int,
                    ) = SystemCalls.handle(emulator, number)
                }
        }
    } else {
        object : AndroidARMEmulator(name, null, processor) {
            override fun createSyscallHandler(memory: SvcMemory) =
                object : ARM32SyscallHandler(memory) {
                    override fun handleSyscall(
                        emulator: Emulator<*>,
                        number: Int,
                    ) = SystemCalls.handle(emulator, number)
                }
        }
    }
}

/** Unicorn stops at a 32-bit `yield`, which Rust's locks do before they wait: this goes on. */
private class Processor : Unicorn2Factory(false) {
    override fun newBackendInternal(
        emulator: Emulator<*>,
        is64Bit: Boolean,
    ): Backend {
        val unicorn = super.newBackendInternal(emulator, is64Bit)
        return if (is64Bit) unicorn else Yielding(unicorn)
    }

    private class Yielding(
        private val unicorn: Backend,
    ) : Backend by unicorn {
        override fun emu_start(
            begin: Long,
            until: Long,
            timeout: Long,
            count: Long,
        ) {
            var at = begin
            while (true) {
                try {
                    return unicorn.emu_start(at, until, timeout, count)
                } catch (e: BackendException) {
                    val next = unicorn.reg_read(ArmConst.UC_ARM_REG_PC).toLong() and 0xFFFF_FFFE
                    val last = ByteBuffer.wrap(unicorn.mem_read(next - 2, 2))
                    if (!ARM.isThumb(unicorn) || last.short != YIELD) throw e
                    at = next or 1
                }
            }
        }
    }

    private companion object {
        /** In Thumb, as its bytes lie in memory. */
        const val YIELD: Short = 0x10BF
    }
}

private typealias SystemCall = (Emulator<*>) -> Int?

private fun Emulator<*>.result(value: Int) {
    val register = if (is64Bit) Arm64Const.UC_ARM64_REG_X0 else ArmConst.UC_ARM_REG_R0
    backend.reg_write(register, value.toLong())
}

/**
 * The system calls of a request that unidbg lacks, or has only in part: sockets, and waiting for
 * another thread as Rust does. A negative result is the number of an error; none leaves the call to
 * unidbg.
 */
private object SystemCalls {
    private val ARM64 =
        mapOf<Int, SystemCall>(
            73 to ::poll,
            98 to ::futex,
            113 to ::clock,
            198 to ::socket,
            199 to ::socketpair,
            210 to ::shutdown,
            211 to ::sendmsg,
        )
    private val ARM32 =
        mapOf<Int, SystemCall>(
            240 to ::futex,
            263 to ::clock,
            281 to ::socket,
            288 to ::socketpair,
            296 to ::sendmsg,
            336 to ::poll,
        )

    private const val AF_UNIX = 1
    private const val AF_INET = 2
    private const val SOCK_STREAM = 1
    private const val SOCK_DGRAM = 2
    private const val SOCK_FLAGS = 0x80800 // close-on-exec, non-blocking
    private const val POLLOUT: Short = 4
    private const val FUTEX_WAIT_BITSET = 9
    private const val FUTEX_PRIVATE = 0x80
    private const val CLOCK_MONOTONIC = 1
    private const val EAGAIN = 11
    private const val SECOND = 1_000_000_000

    /** Whether it was one of these. */
    fun handle(
        emulator: Emulator<*>,
        number: Int,
    ): Boolean {
        val call = (if (emulator.is64Bit) ARM64 else ARM32)[number] ?: return false
        val result = call(emulator) ?: return false
        emulator.result(result)
        return true
    }

    private fun Emulator<*>.word(index: Int) = getContext<RegisterContext>().getIntArg(index)

    private fun Emulator<*>.pointer(index: Int): Pointer? =
        getContext<RegisterContext>().getPointerArg(index)

    private fun Emulator<*>.add(file: Silent) =
        (this as AndroidEmulator).syscallHandler.addFileIO(file)

    private fun Emulator<*>.file(index: Int) = syscallHandler.getFileIO(word(index))

    private fun socket(emulator: Emulator<*>): Int? {
        val stream = emulator.word(1) and SOCK_FLAGS.inv() == SOCK_STREAM
        if (emulator.word(0) != AF_INET || !stream) return null
        return emulator.add(Connection())
    }

    /** Two ends by which threads wake each other; here nobody does. */
    private fun socketpair(emulator: Emulator<*>): Int? {
        val datagrams = emulator.word(1) and SOCK_FLAGS.inv() == SOCK_DGRAM
        if (emulator.word(0) != AF_UNIX || !datagrams) return null
        val ends = checkNotNull(emulator.pointer(3))
        for (i in 0L..1L) ends.setInt(4 * i, emulator.add(Silent()))
        return 0
    }

    /** Connections are there at once, and nothing else is waited for. */
    private fun poll(emulator: Emulator<*>): Int {
        val polled = emulator.pointer(0)
        var ready = 0
        for (i in 0L until emulator.word(1)) {
            val entry = checkNotNull(polled).share(8 * i)
            val connection = emulator.syscallHandler.getFileIO(entry.getInt(0)) is Connection
            val events = entry.getShort(4).toInt() and POLLOUT.toInt()
            entry.setShort(6, (if (connection) events else 0).toShort())
            if (connection && events != 0) ready++
        }
        check(ready > 0) { "nothing would end this wait" }
        return ready
    }

    private fun sendmsg(emulator: Emulator<*>): Int? {
        val connection = emulator.file(0) as? Connection ?: return null
        val word = emulator.pointerSize.toLong()
        val message = checkNotNull(emulator.pointer(1))
        val parts = message.getPointer(2 * word)
        val bytes =
            (0 until message.getInt(3 * word)).map { i ->
                val part = parts.share(2 * word * i)
                val length = part.getInt(word)
                if (length == 0) byteArrayOf() else part.getPointer(0).getByteArray(0, length)
            }
        return connection.write(bytes.fold(byteArrayOf(), ByteArray::plus))
    }

    private fun shutdown(emulator: Emulator<*>): Int? =
        (emulator.file(0) as? Connection)?.shutdown(emulator.word(1))

    /** Rust's way to wait. To wake is unidbg's: it knows each [FutexWaiter]. */
    private fun futex(emulator: Emulator<*>): Int? {
        if (emulator.word(1) and FUTEX_PRIVATE.inv() != FUTEX_WAIT_BITSET) return null
        val address = checkNotNull(emulator.pointer(0))
        val expected = emulator.word(2)
        if (address.getInt(0) != expected) return -EAGAIN
        val until = emulator.pointer(3)?.let { time(emulator, it) }
        emulator.threadDispatcher.runningTask.setWaiter(emulator, Wait(address, expected, until))
        throw ThreadContextSwitchException()
    }

    /** The clock of [futex]. With unidbg's own, this JVM could not tell when a wait is over. */
    private fun clock(emulator: Emulator<*>): Int? {
        if (emulator.word(0) != CLOCK_MONOTONIC) return null
        val time = checkNotNull(emulator.pointer(1))
        val now = System.nanoTime()
        for ((i, part) in listOf(now / SECOND, now % SECOND).withIndex()) {
            if (emulator.is64Bit) time.setLong(8L * i, part) else time.setInt(4L * i, part.toInt())
        }
        return 0
    }

    /** In nanoseconds. */
    private fun time(
        emulator: Emulator<*>,
        at: Pointer,
    ): Long {
        val (seconds, nanoseconds) =
            (0L..1L).map { i ->
                if (emulator.is64Bit) at.getLong(8 * i) else at.getInt(4 * i).toLong()
            }
        return seconds * SECOND + nanoseconds
    }
}

/** Of a thread: until it is woken, or [until] by [System.nanoTime]. */
private class Wait(
    address: Pointer,
    expected: Int,
    private val until: Long?,
) : FutexWaiter(address, expected) {
    private fun isOver() = until != null && System.nanoTime() - until >= 0

    override fun canDispatch() = super.canDispatch() || isOver()

    // It goes on unwoken, too, where the value has changed.
    override fun onContinueRunInternal(emulator: Emulator<*>) =
        emulator.result(if (isOver()) -ETIMEDOUT else 0)

    private companion object {
        const val ETIMEDOUT = 110
    }
}
