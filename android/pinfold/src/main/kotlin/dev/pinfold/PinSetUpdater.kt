package dev.pinfold

import dev.pinfold.internal.PlatformTrust
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

    /** Its clients', too. */
    internal val systemTrust: PlatformTrust = config.systemTrust

    @Volatile
    private var isClosed = false

    /** Clients that are made but not opened yet. */
    private var expected = 0
    private val opening: Opening<FfiUpdater>

    init {
        val settings = config.settings(embedded)
        val trust = config.trust()
        val managed = config.managedConfiguration?.let(::Managed)
        opening =
            Opening(::closed) { translated { FfiUpdater(settings, trust, events, managed) } }
    }

    /**
     * Makes an updater: reads what is stored, and fetches nothing. On Android's main thread it does
     * no work that takes time: whatever is asked of it first does, and throws what is wrong with
     * [embedded] or a setting if that is not found before.
     *
     * @param embedded The documents that ship with the app, as `pinfold embed` writes them.
     * @throws PinfoldException.InvalidPinSet where [embedded] is no good: the app was built
     *   wrongly.
     * @throws PinfoldException.InvalidConfig for a setting that is out of range.
     * @throws PinfoldException.InvalidCertificate for one of [Roots.Only] that is none.
     */
    @JvmOverloads
    @Throws(PinfoldException::class)
    public constructor(
        embedded: ByteArray,
        configure: UpdaterConfig.() -> Unit = {},
    ) : this(
        embedded,
        UpdaterConfig().apply(configure),
    )

    /**
     * The pin set in force on this device.
     *
     * @throws IllegalStateException after [close].
     */
    public val pins: PinSet get() = open { PinSet(opening.open().pins()) }

    /**
     * Looks for a newer pin set now, without blocking the caller's thread. Of several callers at
     * once one fetches, and all get its result. It takes 20 s for each URL at worst. Cancelling the
     * coroutine ends the wait, not the fetch.
     *
     * @throws PinSetUpdateException The pin set in force stays.
     * @throws IllegalStateException after [close].
     */
    @Throws(PinSetUpdateException::class, CancellationException::class)
    public suspend fun refresh(): Refreshed = open { opening.await().refresh() }.toPublic()

    /**
     * [refresh] where it is time for it, else null: for an app that comes to the foreground, and
     * for WorkManager. It takes over what another process of the app has stored.
     *
     * @throws PinSetUpdateException The pin set in force stays.
     * @throws IllegalStateException after [close].
     */
    @Throws(PinSetUpdateException::class, CancellationException::class)
    public suspend fun refreshIfDue(): Refreshed? =
        open { opening.await().refreshIfDue() }?.toPublic()

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
    public fun status(): PinSetStatus = open { opening.open().status() }.toPublic()

    /**
     * Lets go of the updater. [UpdaterConfig.onEvent] is not called any more; a call under way ends
     * as it does. Clients keep their pin set, and keep it up to date, until they are closed
     * themselves. Closing twice does nothing.
     */
    @Synchronized
    override fun close() {
        events?.close()
        isClosed = true
        // UniFFI does not look whether a parameter is destroyed; its cleaner comes in the end.
        if (expected == 0) opening.close()?.destroy()
    }

    /** Announces a client, which is to have its pin sets even if the updater is closed meanwhile. */
    @Synchronized
    internal fun expectClient() {
        if (isClosed) throw closed()
        expected += 1
    }

    /** Makes the client that was announced. */
    @Synchronized
    internal fun <T> attach(make: (FfiUpdater) -> T): T {
        val client = translated { make(opening.open()) }
        expected -= 1
        if (isClosed && expected == 0) opening.close()?.destroy()
        return client
    }

    /** Runs [block] with what UniFFI throws as our own exceptions. */
    private inline fun <T> open(block: () -> T): T =
        try {
            if (isClosed) throw closed()
            updated { translated(block) }
        } catch (e: IllegalStateException) {
            // UniFFI's for one that is destroyed; cancellation is one as well.
            if (e is CancellationException || !isClosed) throw e
            throw closed()
        }

    private fun closed() = IllegalStateException("the updater is closed")
}
