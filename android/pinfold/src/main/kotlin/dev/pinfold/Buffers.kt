package dev.pinfold

import java.nio.Buffer
import java.nio.ByteBuffer

/**
 * Direct memory for a call in each direction: costly to allocate, so it is used again. Not one a
 * thread, because coroutines would leave it on 64 of them.
 */
internal class Buffers private constructor() {
    private val input = ByteBuffer.allocateDirect(SIZE)

    /** For replies. */
    val output: ByteBuffer = ByteBuffer.allocateDirect(SIZE)

    /** For a request of at most [size] bytes. */
    fun input(size: Int): ByteBuffer = if (size <= SIZE) input else ByteBuffer.allocateDirect(size)

    companion object {
        private const val SIZE = 64 * 1024
        private const val KEPT = 16
        private val pool = ArrayDeque<Buffers>(KEPT)

        inline fun <T> use(block: (Buffers) -> T): T {
            val buffers = take()
            try {
                return block(buffers)
            } finally {
                giveBack(buffers)
            }
        }

        private fun take(): Buffers = synchronized(pool) { pool.removeLastOrNull() } ?: Buffers()

        private fun giveBack(buffers: Buffers) {
            buffers.input.startOver()
            buffers.output.startOver()
            synchronized(pool) { if (pool.size < KEPT) pool.addLast(buffers) }
        }
    }
}

/** Calls [block] with a copy of [bytes] where native code can read it. */
internal inline fun <T> withDirectBuffer(
    bytes: ByteArray,
    block: (ByteBuffer) -> T,
): T {
    val buffer = ByteBuffer.allocateDirect(bytes.size)
    buffer.put(bytes)
    buffer.startOver()
    try {
        return block(buffer)
    } finally {
        // UniFFI passes the bare address on; this use keeps the memory from being collected.
        buffer.startOver()
    }
}

// Through `Buffer`: old Androids lack the overrides in `ByteBuffer`.

internal fun ByteBuffer.limitTo(size: Int): ByteBuffer {
    val buffer: Buffer = this
    buffer.limit(size)
    return this
}

internal fun ByteBuffer.startOver() {
    val buffer: Buffer = this
    buffer.clear()
}
