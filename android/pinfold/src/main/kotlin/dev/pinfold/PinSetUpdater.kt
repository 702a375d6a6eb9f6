package dev.pinfold

import dev.pinfold.internal.PlatformTrust
import dev.pinfold.internal.ensureInitialized
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.runBlocking
import dev.pinfold.internal.PinSetUpdater as FfiUpdater

/**
 * Keeps a signed pin set up to date, so that pins change without a release of the app.
 *
 * It begins with the documents that ship with the app, or with the newest that it has stored. A
 * newer one is fetched where a client's request finds that it is time, after a mismatch, and by
 * [refresh] and [refreshIfDue]; it is in force in every [PinnedClient] of the updater at once.
 * Whatever a server sends is worth nothing until its signatures and its order are verified.
 *
 * Meant to be shared: one for each embedded file, for as long as the app runs. Every method may be
 * called from any thread.
 *
 * ```
 * val updater = PinSetUpdater(assets.open("pinfold.json").use { it.readBytes() }) {
 *     directory = context.noBackupFilesDir.resolve("pinfold")
 *     onEvent = { event -> log("pins: $event") }
 * }
 * val client = PinnedClient(updater)
 * ```
 */
public class PinSetUpdater private constructor(
    embedded: ByteArray,
    config: UpdaterConfig,
) : AutoCloseable {
    private val events = config.onEvent?.let(::EventQueue)
    private val updater =
        translated {
            val managed = config.managedConfiguration?.let(::Managed)
            FfiUpdater(config.settings(embedded), config.trust(), events, managed)
        }

    /** Its clients', too. */
    internal val systemTrust: PlatformTrust = config.systemTrust

    /**
     * Makes an updater. It loads the native library and reads what is stored, so not on a main
     * thread; it fetches nothing.
     *
     * @param embedded The documents that ship with the app, as `pinfold embed` writes them.
     * @throws PinfoldException.InvalidPinSet where [embedded] is no good: the app was built
     *   wrongly.
     * @throws PinfoldException.InvalidConfig for a setting that is out of range.
     * @throws PinfoldException.InvalidCertificate for one of [Roots.Only] that is none.
     * @throws IllegalStateException on Android's main thread.
     */
    @JvmOverloads
    @Throws(PinfoldException::class)
    public constructor(
        embedded: ByteArray,
        configure: UpdaterConfig.() -> Unit = {},
    ) : this(
        embedded,
        UpdaterConfig().also {
            checkNotMainThread("PinSetUpdater() reads what is stored")
            it.configure()
        },
    )

    /**
     * The pin set in force on this device.
     *
     * @throws IllegalStateException after [close].
     */
    public val pins: PinSet get() = open { PinSet(updater.pins()) }

    /**
     * Looks for a newer pin set now, without blocking the caller's thread. Of several callers at
     * once one fetches, and all get its result. It takes 20 s for each URL at worst. Cancelling the
     * coroutine ends the wait, not the fetch.
     *
     * @throws PinSetUpdateException The pin set in force stays.
     * @throws IllegalStateException after [close].
     */
    @Throws(PinSetUpdateException::class, CancellationException::class)
    public suspend fun refresh(): Refreshed = open { updater.refresh() }.toPublic()

    /**
     * [refresh] where it is time for it, else null: for an app that comes to the foreground, and
     * for WorkManager. It takes over what another process of the app has stored.
     *
     * @throws PinSetUpdateException The pin set in force stays.
     * @throws IllegalStateException after [close].
     */
    @Throws(PinSetUpdateException::class, CancellationException::class)
    public suspend fun refreshIfDue(): Refreshed? = open { updater.refreshIfDue() }?.toPublic()

    /**
     * [refresh] on the calling thread, which must not be a main thread.
     *
     * @throws PinSetUpdateException The pin set in force stays.
     * @throws InterruptedException The thread was interrupted; the fetch goes on.
     * @throws IllegalStateException after [close], and on Android's main thread.
     */
    @Throws(PinSetUpdateException::class, InterruptedException::class)
    public fun refreshBlocking(): Refreshed {
        checkNotMainThread("refreshBlocking() waits for a server")
        return runBlocking { refresh() }
    }

    /**
     * [refreshIfDue] on the calling thread, which must not be a main thread.
     *
     * @throws PinSetUpdateException The pin set in force stays.
     * @throws InterruptedException The thread was interrupted; the fetch goes on.
     * @throws IllegalStateException after [close], and on Android's main thread.
     */
    @Throws(PinSetUpdateException::class, InterruptedException::class)
    public fun refreshIfDueBlocking(): Refreshed? {
        checkNotMainThread("refreshIfDueBlocking() waits for a server")
        return runBlocking { refreshIfDue() }
    }

    /**
     * How the pin set stands, for a support screen.
     *
     * @throws IllegalStateException after [close].
     */
    public fun status(): PinSetStatus = open { updater.status() }.toPublic()

    /**
     * Lets go of the updater. [UpdaterConfig.onEvent] is not called any more; a call under way ends
     * as it does. Clients keep their pin set, and keep it up to date, until they are closed
     * themselves. Closing twice does nothing.
     */
    @Synchronized
    override fun close() {
        events?.close()
        updater.destroy()
    }

    /** Makes a client of this updater. UniFFI does not look whether a parameter is destroyed. */
    @Synchronized
    internal fun <T> attach(make: (FfiUpdater) -> T): T {
        if (updater.uniffiIsDestroyed) throw closed()
        return translated { make(updater) }
    }

    /** Runs [block] with what UniFFI throws as our own exceptions. */
    private inline fun <T> open(block: () -> T): T =
        try {
            updated { translated(block) }
        } catch (e: IllegalStateException) {
            // UniFFI's for one that is destroyed; cancellation is one as well.
            if (e is CancellationException || !updater.uniffiIsDestroyed) throw e
            throw closed()
        }

    private fun closed() = IllegalStateException("the updater is closed")

    private companion object {
        init {
            ensureInitialized()
        }
    }
}
