package dev.pinfold

import java.lang.reflect.Method

/**
 * Refuses to block Android's main thread, as Android does itself with `NetworkOnMainThreadException`.
 *
 * @param what The call, and what it does there.
 */
internal fun checkNotMainThread(what: String) =
    check(!isMainThread()) {
        "$what, and this is Android's main thread: call it on another one, for instance in " +
            "withContext(Dispatchers.IO)"
    }

internal fun isMainThread(): Boolean = looper.isCurrent

/** Android's thread for everything visible; by reflection, for this module is the JVM's as well. */
internal class Looper(
    name: String,
) {
    private val type: Class<*>? = runCatching { Class.forName(name) }.getOrNull()
    private val main: Method? = type?.getMethod("getMainLooper")
    private val isThis: Method? = type?.getMethod("isCurrentThread")

    /** False too where an app's tests have Android's classes without their code. */
    val isCurrent: Boolean
        get() =
            try {
                main?.invoke(null)?.let { isThis?.invoke(it) } == true
            } catch (_: ReflectiveOperationException) {
                false
            }
}

private val looper = Looper("android.os.Looper")
