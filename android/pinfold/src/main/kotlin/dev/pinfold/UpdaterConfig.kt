package dev.pinfold

import dev.pinfold.internal.PlatformTrust
import dev.pinfold.internal.UpdaterSettings
import java.io.File

/**
 * What a [PinSetUpdater] is told when it is made. What is out of range is refused by its
 * constructor with [PinfoldException.InvalidConfig].
 */
@PinfoldDsl
public class UpdaterConfig internal constructor() {
    /**
     * Where the newest pin set outlives the process: a folder of the app's own that is excluded
     * from backups, so that no old pin set comes with a restored device. On Android a folder in
     * `context.noBackupFilesDir`. It is made where it is missing, and may be shared by the app's
     * processes, but not by updaters of different series. Without one, each start begins with the
     * embedded documents.
     */
    public var directory: File? = null

    /**
     * The authorities of the update channel. It does not depend on pins, because it has to repair
     * them.
     */
    public var roots: Roots = Roots.System

    /** Who is asked for [Roots.System]; by its clients, too. */
    internal var systemTrust: PlatformTrust = SystemTrust()

    /**
     * What the device's management says, for the document's inspection authorities. Without it no
     * connection may be inspected.
     */
    public var managedConfiguration: ManagedConfiguration? = null

    /**
     * Is told of everything that happens to the pin set, soon after it has happened: in order, one
     * event at a time, on a thread of `Dispatchers.IO`; the first may come before the constructor
     * has returned. It may block and may call the updater. What it throws is ignored.
     */
    public var onEvent: ((UpdateEvent) -> Unit)? = null

    /** Where the proxies of the update channel come from. */
    public var proxies: Proxies = Proxies.System()

    private val addresses = Addresses()

    /**
     * Connects elsewhere instead of looking a name up, as [ClientConfig.connectTo] does for
     * requests.
     *
     * @param host The name in the update URL.
     * @param port The port in the update URL, 443 where it has none.
     * @param address `IP:PORT` to connect to.
     */
    public fun connectTo(
        host: String,
        port: Int,
        address: String,
    ) {
        addresses.add(host, port, address)
    }

    internal fun settings(embedded: ByteArray): UpdaterSettings {
        checkEmbeddedSize(embedded.size)
        return UpdaterSettings(
            embedded = embedded,
            directory = directory?.path?.wellFormed()?.also(::checkDirectory),
            roots = roots.toFfi(),
            connectTo = addresses.toFfi(),
            proxies = proxies.toFfi(),
        )
    }

    internal fun trust() = systemTrust.takeIf { roots == Roots.System }

    private fun checkDirectory(path: String) {
        checkSetting("directory", path.isNotEmpty(), "empty")
        checkSetting("directory", '\u0000' !in path, "not a path")
    }
}

/**
 * What the management of the device tells the app. On Android that is `RestrictionsManager`, which
 * the updaters of `dev.pinfold.android` ask by themselves.
 */
public fun interface ManagedConfiguration {
    /**
     * The text set for [key]; null where nothing is set. Called during handshakes, only where an
     * authority of the pin set would apply, on any thread; must not block. To throw is to answer
     * null.
     */
    public fun value(key: String): String?
}
