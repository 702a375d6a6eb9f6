package dev.pinfold

import dev.pinfold.internal.ConnectTo

/** Addresses to use instead of looking names up. */
internal class Addresses {
    private val all = mutableListOf<Triple<String, Int, String>>()

    fun add(
        host: String,
        port: Int,
        address: String,
    ) {
        all += Triple(host, port, address)
    }

    fun toFfi() =
        all.mapIndexed { i, (host, port, address) ->
            val isPort = port in 1..MAX_PORT
            checkSetting("connect_to[$i]", isPort, "its port is not 1 to $MAX_PORT")
            ConnectTo(host.wellFormed(), port.toUShort(), address.wellFormed())
        }
}

internal fun checkSetting(
    setting: String,
    holds: Boolean,
    reason: String,
) {
    if (!holds) throw PinfoldException.InvalidConfig("setting $setting: $reason", setting)
}

internal const val MAX_PORT = 65_535
