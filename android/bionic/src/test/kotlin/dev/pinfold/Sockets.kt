package dev.pinfold

import com.github.unidbg.Emulator
import com.github.unidbg.arm.backend.Backend
import com.github.unidbg.file.linux.BaseAndroidFileIO
import com.github.unidbg.file.linux.IOConstants
import com.sun.jna.Pointer
import java.io.IOException
import java.io.PushbackInputStream
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Socket
import java.net.SocketTimeoutException

/** What need only be there, for the emulated process, and be closed. */
open class Silent : BaseAndroidFileIO(IOConstants.O_RDWR) {
    override fun ioctl(
        emulator: Emulator<*>,
        request: Long,
        argument: Long,
    ) = 0

    override fun close() = Unit
}

/** A TCP connection, over a socket of this JVM. What waits for it holds up all threads. */
class Connection : Silent() {
    private val socket = Socket()
    private val input by lazy { PushbackInputStream(socket.getInputStream()) }

    override fun connect(
        address: Pointer,
        length: Int,
    ): Int {
        val port = address.getShort(2).let { java.lang.Short.reverseBytes(it) }.toInt() and 0xFFFF
        val host = InetAddress.getByAddress(address.getByteArray(4, 4))
        return orError(ECONNREFUSED) {
            socket.connect(InetSocketAddress(host, port), PATIENCE)
            socket.soTimeout = PATIENCE
            0
        }
    }

    override fun read(
        backend: Backend,
        buffer: Pointer,
        size: Int,
    ) = orError(ECONNRESET) {
        val bytes = ByteArray(size)
        // At the end -1, which is 0 here.
        maxOf(input.read(bytes), 0).also { buffer.write(0, bytes, 0, it) }
    }

    override fun recvfrom(
        backend: Backend,
        buffer: Pointer,
        size: Int,
        flags: Int,
        source: Pointer?,
        sourceLength: Pointer?,
    ): Int {
        if (flags == 0) return read(backend, buffer, size)
        check(flags == PEEK_WITHOUT_WAITING && size == 1) { "recvfrom: $size, $flags" }
        return peek(buffer)
    }

    private fun peek(buffer: Pointer): Int {
        socket.soTimeout = 1
        try {
            val byte = input.read()
            if (byte < 0) return 0
            input.unread(byte)
            buffer.setByte(0, byte.toByte())
            return 1
        } catch (_: SocketTimeoutException) {
            return -EAGAIN
        } finally {
            socket.soTimeout = PATIENCE
        }
    }

    override fun write(bytes: ByteArray) =
        orError(EPIPE) {
            socket.getOutputStream().write(bytes)
            bytes.size
        }

    override fun sendto(
        bytes: ByteArray,
        flags: Int,
        target: Pointer?,
        targetLength: Int,
    ) = write(bytes)

    /** Delays and timeouts are this JVM's own. */
    override fun setsockopt(
        level: Int,
        option: Int,
        value: Pointer,
        size: Int,
    ) = 0

    /** Whether connecting has failed: [connect] has said that already. */
    override fun getsockopt(
        level: Int,
        option: Int,
        value: Pointer,
        size: Pointer,
    ): Int {
        check(level == SOL_SOCKET && option == SO_ERROR) { "getsockopt: $level, $option" }
        value.setInt(0, 0)
        return 0
    }

    override fun shutdown(how: Int): Int {
        check(how == SHUT_RDWR) { "shutdown: $how" }
        return orError(ENOTCONN) {
            socket.close()
            0
        }
    }

    override fun close() = socket.close()

    private fun orError(
        number: Int,
        work: () -> Int,
    ) = try {
        work()
    } catch (_: IOException) {
        -number
    }

    private companion object {
        const val SOL_SOCKET = 1
        const val SO_ERROR = 4
        const val SHUT_RDWR = 2
        const val EAGAIN = 11
        const val EPIPE = 32
        const val ECONNRESET = 104
        const val ENOTCONN = 107
        const val ECONNREFUSED = 111

        const val PEEK_WITHOUT_WAITING = 0x42

        /** Milliseconds. */
        const val PATIENCE = 20_000
    }
}
