package dev.pinfold

import dev.pinfold.internal.HostSpec
import dev.pinfold.internal.PinSetSpec
import dev.pinfold.internal.PinSpec
import kotlin.time.Instant

/** Keeps the inside of one builder from reaching into the one around it. */
@DslMarker
@Target(AnnotationTarget.CLASS)
public annotation class PinfoldDsl

/** What [PinSet.build] is told. */
@PinfoldDsl
public class PinSetBuilder internal constructor() {
    /** The pin set's own version, for errors and reports: from 1 to 2^53-1. */
    public var version: Long? = null

    /**
     * Keys that no path may contain, whatever vouches for it, as `sha256/` and the Base64 SHA-256
     * of a SubjectPublicKeyInfo. They hold for every host, with an entry or without, and in every
     * mode: such a certificate is refused with [PinfoldException.BlockedKey].
     */
    public var blockedSpki: List<String> = emptyList()

    private val hosts = mutableListOf<HostSpec>()

    /**
     * Adds an entry; each host has at most one.
     *
     * @param host A name in any case and script, or an IP address.
     * @param includeSubdomains Whether the entry also covers every name below, at any depth. The
     *   most specific entry wins entirely.
     */
    public fun host(
        host: String,
        includeSubdomains: Boolean = false,
        configure: HostBuilder.() -> Unit,
    ) {
        hosts += HostBuilder().apply(configure).spec(host, includeSubdomains)
    }

    internal fun spec() =
        PinSetSpec(
            // A negative one becomes one that is too large, and is refused as such.
            version = version?.toULong(),
            blockedSpki = blockedSpki.map { it.wellFormed() },
            hosts = hosts.toList(),
        )
}

/** What [PinSetBuilder.host] is told. */
@PinfoldDsl
public class HostBuilder internal constructor() {
    /** What to do when no pin matches. */
    public var mode: Mode = Mode.ENFORCE

    /** What makes a certificate trusted before pins are looked at. */
    public var trust: Trust = Trust.SYSTEM_AND_PIN

    /**
     * When the entry lapses, to the second. From then on its trust decides without its pins, so
     * that a forgotten renewal locks nobody out.
     */
    public var expires: Instant? = null

    private val pins = mutableListOf<PinSpec>()
    private val anchors = mutableListOf<ByteArray>()

    /**
     * Adds a pin. [Mode.ENFORCE] needs two distinct ones at least: one is a lock without a spare
     * key (RFC 7469 §2.5).
     *
     * @param pin `sha256/` and the Base64 SHA-256 of a key's SubjectPublicKeyInfo (RFC 7469 §2.4),
     *   or `cert-sha256/` and that of a whole certificate.
     * @param at Where on the verified path it may match.
     * @param state Where in its life it is.
     * @param label For people, at most 1024 bytes.
     * @param certificate The pinned authority's certificate in DER, where servers do not send it.
     */
    public fun pin(
        pin: String,
        at: PinAt = PinAt.ANY,
        state: PinState = PinState.ACTIVE,
        label: String? = null,
        certificate: ByteArray? = null,
    ) {
        pins +=
            PinSpec(pin.wellFormed(), at.toFfi(), state.toFfi(), label?.wellFormed(), certificate)
    }

    /** Adds a pin of a key that is kept ready and is on no server yet; see [pin]. */
    public fun backup(
        pin: String,
        at: PinAt = PinAt.ANY,
        label: String? = null,
        certificate: ByteArray? = null,
    ) {
        pin(pin, at, PinState.BACKUP, label, certificate)
    }

    /** Adds an authority of [Trust.PRIVATE_CA], a certificate in DER. */
    public fun anchor(certificate: ByteArray) {
        anchors += certificate
    }

    internal fun spec(
        host: String,
        includeSubdomains: Boolean,
    ) = HostSpec(
        host = host.wellFormed(),
        includeSubdomains = includeSubdomains,
        mode = mode.toFfi(),
        trust = trust.toFfi(),
        expires = expires?.let { Instant.fromEpochSeconds(it.epochSeconds).toString() },
        pins = pins.toList(),
        anchors = anchors.toList(),
    )
}
