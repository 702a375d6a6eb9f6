package dev.pinfold

import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/**
 * What [Looper] makes of Android's class, with stand-ins of its shape. Android's own is tested in
 * `android/robolectric`, which takes a download of its own.
 */
class MainThreadTest {
    @Test
    fun `only the main looper's own thread is the main one`() {
        Main.isThis = true
        assertTrue(Looper(Main::class.java.name).isCurrent)
        Main.isThis = false
        assertFalse(Looper(Main::class.java.name).isCurrent)
    }

    @Test
    fun `there is none on the JVM, nor where Android's classes are empty`() {
        assertFalse(Looper("android.os.Looper").isCurrent)
        assertFalse(Looper(Throwing::class.java.name).isCurrent)
        assertFalse(Looper(Defaults::class.java.name).isCurrent)
    }

    class Main {
        fun isCurrentThread() = isThis

        companion object {
            var isThis = false

            @JvmStatic
            fun getMainLooper() = Main()
        }
    }

    /** As an app's tests have it by default: "Method … not mocked". */
    class Throwing {
        fun isCurrentThread() = true

        companion object {
            @JvmStatic
            fun getMainLooper(): Throwing = throw UnsupportedOperationException("not mocked")
        }
    }

    /** As they have it with `returnDefaultValues`. */
    class Defaults {
        fun isCurrentThread() = true

        companion object {
            @JvmStatic
            fun getMainLooper(): Defaults? = null
        }
    }
}
