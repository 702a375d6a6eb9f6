package dev.pinfold

import com.github.unidbg.AndroidEmulator
import com.github.unidbg.Module
import com.github.unidbg.arm.backend.Unicorn2Factory
import com.github.unidbg.linux.android.AndroidEmulatorBuilder
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
    private val emulator: AndroidEmulator =
        (if (is64Bit) AndroidEmulatorBuilder.for64Bit() else AndroidEmulatorBuilder.for32Bit())
            .setProcessName("dev.pinfold")
            .addBackendFactory(Unicorn2Factory(true))
            .build()
    private val library: Module
    private val status: UnidbgPointer

    init {
        emulator.memory.setLibraryResolver(AndroidResolver(23))
        val file = File(System.getProperty("pinfold.jni"), "$abi/libpinfold.so")
        library = emulator.createDalvikVM().loadLibrary(file, true).module
        status = memory(STATUS_SIZE)
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
        throwFailure()
        return if (is64Bit) result else result and 0xFFFF_FFFF
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

    private fun throwFailure() {
        when (val code = status.getByte(0).toInt()) {
            0 -> return
            1 -> throw FfiConverterTypePinfoldFailure.read(read(status.share(ERROR)))
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
    }
}
