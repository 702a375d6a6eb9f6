package dev.pinfold

import com.github.unidbg.Emulator
import com.github.unidbg.Module
import com.github.unidbg.arm.Arm64Svc
import com.github.unidbg.arm.ArmSvc
import com.github.unidbg.arm.context.RegisterContext
import com.github.unidbg.linux.android.AndroidResolver
import com.github.unidbg.pointer.UnidbgPointer
import dev.pinfold.internal.FfiConverterRustBuffer
import dev.pinfold.internal.FfiConverterTypePinfoldFailure
import unicorn.Arm64Const
import java.io.File
import java.nio.ByteBuffer

/** An emulated Android process that has loaded the library of [abi]. */
class Process(
    abi: String,
) : AutoCloseable {
    private val is64Bit = abi == "arm64-v8a"
    private val emulator = emulator(is64Bit)
    private val library: Module
    private val status: UnidbgPointer
    private val continuation: UnidbgPointer

    /** What the library has said to [continuation] last. */
    private var polled: Byte? = null

    init {
        emulator.syscallHandler.setEnableThreadDispatcher(true)
        emulator.memory.setLibraryResolver(AndroidResolver(23))
        val file = File(System.getProperty("pinfold.jni"), "$abi/libpinfold.so")
        library = emulator.createDalvikVM().loadLibrary(file, true).module
        status = memory(STATUS_SIZE)
        val svc = if (is64Bit) continuation64() else continuation32()
        continuation = emulator.svcMemory.registerSvc(svc)
    }

    fun has(function: String): Boolean = library.findSymbolByName(function, false) != null

    /** Calls a function of numbers: an Int is a word of 32 bits, a Long one of 64. */
    fun call(
        function: String,
        vararg arguments: Any,
    ): Long = run(function, words(arguments.asList()))

    /** Calls a function of UniFFI's that returns a handle. */
    fun handle(
        function: String,
        vararg arguments: Any,
    ): Long {
        val words = words(arguments.asList() + status)
        clearStatus()
        val result = run(function, words)
        throwFailure(FfiConverterTypePinfoldFailure)
        return if (is64Bit) result else result and 0xFFFF_FFFF
    }

    /** Calls a function of UniFFI's that returns a buffer, and fails with [failures]. */
    fun value(
        failures: FfiConverterRustBuffer<out Exception>,
        function: String,
        vararg arguments: Any,
    ): ByteBuffer {
        val result = memory(BUFFER_SIZE)
        val where = if (is64Bit) emptyList() else listOf(result)
        val words = words(where + arguments + status)
        clearStatus()
        if (is64Bit) emulator.backend.reg_write(Arm64Const.UC_ARM64_REG_X8, result.peer)
        run(function, words)
        throwFailure(failures)
        return read(result)
    }

    /** Begins what [function] does on a thread of the library's, and waits for it. */
    fun await(
        failures: FfiConverterRustBuffer<out Exception>,
        function: String,
        vararg arguments: Any,
    ): ByteBuffer {
        val future = run(function, words(arguments.asList()))
        val handle = if (is64Bit) future else future and 0xFFFF_FFFF
        val until = System.nanoTime() + PATIENCE
        do {
            polled = null
            call("ffi_pinfold_rust_future_poll_rust_buffer", handle, continuation, 0L)
            while (polled == null) {
                check(System.nanoTime() < until) { "$function: no thread answers" }
                // Time for the others.
                usleep.call(emulator, 1_000)
            }
        } while (polled != READY)
        return value(failures, "ffi_pinfold_rust_future_complete_rust_buffer", handle)
    }

    /** What UniFFI takes for a value of [converter]'s type. */
    fun <T> buffer(
        converter: FfiConverterRustBuffer<T>,
        value: T,
    ): RustBuffer {
        val bytes = ByteBuffer.allocate(converter.allocationSize(value).toInt())
        converter.write(value, bytes)
        return RustBuffer(bytes.array().copyOf(bytes.position()))
    }

    fun memory(bytes: ByteArray): UnidbgPointer =
        memory(maxOf(bytes.size, 1)).also { it.write(0, bytes, 0, bytes.size) }

    fun memory(size: Int): UnidbgPointer = emulator.memory.malloc(size, true).pointer

    override fun close() = emulator.close()

    private val usleep get() = emulator.memory.findModule("libc.so").findSymbolByName("usleep")

    private fun continuation64() =
        object : Arm64Svc() {
            override fun handle(emulator: Emulator<*>) = polled(emulator, 1)
        }

    private fun continuation32() =
        object : ArmSvc() {
            override fun handle(emulator: Emulator<*>) = polled(emulator, 2)
        }

    /** After a number of 64 bits, which says nothing, comes the answer. */
    private fun polled(
        emulator: Emulator<*>,
        argument: Int,
    ): Long {
        polled = emulator.getContext<RegisterContext>().getIntArg(argument).toByte()
        return 0
    }

    private fun run(
        function: String,
        words: List<Any>,
    ): Long {
        val result = library.callFunction(emulator, function, *words.toTypedArray())
        return if (is64Bit) result.toLong() else result.toInt().toLong()
    }

    private fun words(arguments: List<Any>): List<Any> {
        val words = mutableListOf<Any>()
        for (argument in arguments) {
            if (argument is RustBuffer) {
                if (!is64Bit && words.size % 2 != 0) words.add(0)
                words.addAll(allocate(argument.bytes))
            } else if (argument is Long && !is64Bit) {
                // A pair of registers begins at an even one.
                if (words.size % 2 != 0) words.add(0)
                words.add(argument.toInt())
                words.add((argument ushr 32).toInt())
            } else {
                words.add(argument)
            }
        }
        return words
    }

    /** A buffer that the library will free: by reference on 64 bits, else by value. */
    private fun allocate(bytes: ByteArray): List<Any> {
        val buffer = memory(BUFFER_SIZE)
        val size = bytes.size.toLong()
        clearStatus()
        if (is64Bit) {
            emulator.backend.reg_write(Arm64Const.UC_ARM64_REG_X8, buffer.peer)
            call("ffi_pinfold_rustbuffer_alloc", size, status)
        } else {
            call("ffi_pinfold_rustbuffer_alloc", buffer, size, status)
        }
        buffer.getPointer(DATA).write(0, bytes, 0, bytes.size)
        buffer.setLong(LENGTH, size)
        return if (is64Bit) listOf(buffer) else buffer.getIntArray(0, BUFFER_SIZE / 4).asList()
    }

    private fun clearStatus() = status.write(0, ByteArray(STATUS_SIZE), 0, STATUS_SIZE)

    private fun throwFailure(failures: FfiConverterRustBuffer<out Exception>) {
        when (val code = status.getByte(0).toInt()) {
            0 -> return
            1 -> throw failures.read(read(status.share(ERROR)))
            else -> error("a panic: $code ${String(read(status.share(ERROR)).array())}")
        }
    }

    private fun read(buffer: com.sun.jna.Pointer): ByteBuffer {
        val size = buffer.getLong(LENGTH).toInt()
        if (size == 0) return ByteBuffer.allocate(0)
        return ByteBuffer.wrap(buffer.getPointer(DATA).getByteArray(0, size))
    }

    /** An argument that UniFFI passes as its `RustBuffer`. */
    class RustBuffer(
        val bytes: ByteArray,
    )

    private companion object {
        // struct RustBuffer { u64 capacity, u64 len, u8 *data }
        // struct RustCallStatus { i8 code, RustBuffer error }
        const val BUFFER_SIZE = 24
        const val LENGTH = 8L
        const val DATA = 16L
        const val STATUS_SIZE = 32
        const val ERROR = 8L
        const val READY: Byte = 0

        /** Nanoseconds. */
        const val PATIENCE = 60_000_000_000
    }
}
