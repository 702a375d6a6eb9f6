@file:JvmName("Pinfold")

package dev.pinfold.android

import android.content.Context
import dev.pinfold.ClientConfig
import dev.pinfold.PinSet
import dev.pinfold.PinSetUpdater
import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.UpdaterConfig
import java.io.IOException

/**
 * An updater for an Android app. It stores in [Context.getNoBackupFilesDir] of [context] and takes
 * the managed configuration from `RestrictionsManager`; [configure] may say otherwise.
 *
 * ```
 * class BankApp : Application() {
 *     val pins by lazy { PinSetUpdater(this) { onEvent = { log("pins: $it") } } }
 *     val client by lazy { PinnedClient(this, pins) }
 * }
 * ```
 *
 * Before the device's first unlock an app's storage is locked, and nothing stored is found there:
 * the updater begins with the embedded documents, and takes over what is stored once the user has
 * unlocked the device. For an app that has to know the newest pin set before that, [context] is a
 * `createDeviceProtectedStorageContext()`: pin sets are signed, and no secrets.
 *
 * @param context Any of the app's; only its application is kept.
 * @param asset The asset with the documents that ship with the app, as `pinfold embed` writes them.
 * @throws PinfoldException as the constructor of [PinSetUpdater].
 * @throws IOException where there is no such asset.
 */
@JvmOverloads
@JvmName("pinSetUpdater")
@Throws(PinfoldException::class, IOException::class)
public fun PinSetUpdater(
    context: Context,
    asset: String = "pinfold.json",
    configure: UpdaterConfig.() -> Unit = {},
): PinSetUpdater {
    val embedded = context.assets.open(asset).use { it.readBytes() }
    return PinSetUpdater(context, embedded, configure)
}

/**
 * An updater for an Android app whose embedded documents are no asset.
 *
 * @throws PinfoldException as the constructor of [PinSetUpdater].
 */
@JvmOverloads
@JvmName("pinSetUpdater")
@Throws(PinfoldException::class)
public fun PinSetUpdater(
    context: Context,
    embedded: ByteArray,
    configure: UpdaterConfig.() -> Unit = {},
): PinSetUpdater {
    val updater =
        PinSetUpdater(embedded) {
            directory = context.noBackupFilesDir.resolve("pinfold")
            managedConfiguration = AppRestrictions(context.application)
            configure()
        }
    refreshOnUnlock(context, context.application, updater)
    return updater
}

/**
 * A client of [updater] that drops its connections when the device's network changes, so that no
 * request hangs on a dead one. For that the app needs the permission `ACCESS_NETWORK_STATE`, which
 * the manifest of this library asks for; without it the client is like any other.
 *
 * @param context Any of the app's; only its application is kept.
 * @throws PinfoldException as the constructor of [PinnedClient].
 * @throws IllegalStateException where [updater] is closed.
 */
@JvmOverloads
@JvmName("pinnedClient")
@Throws(PinfoldException::class)
public fun PinnedClient(
    context: Context,
    updater: PinSetUpdater,
    configure: ClientConfig.() -> Unit = {},
): PinnedClient =
    PinnedClient(updater, configure).also { DefaultNetwork.follow(context.application, it) }

/**
 * A client with a pin set of its own that drops its connections when the device's network changes,
 * as the one of an updater does.
 *
 * @param context Any of the app's; only its application is kept.
 * @throws PinfoldException as the constructor of [PinnedClient].
 */
@JvmOverloads
@JvmName("pinnedClient")
@Throws(PinfoldException::class)
public fun PinnedClient(
    context: Context,
    pins: PinSet,
    configure: ClientConfig.() -> Unit = {},
): PinnedClient =
    PinnedClient(pins, configure).also { DefaultNetwork.follow(context.application, it) }

/** It outlives every activity; null only while it is itself being made. */
private val Context.application: Context get() = applicationContext ?: this
