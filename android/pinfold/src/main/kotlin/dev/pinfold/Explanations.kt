package dev.pinfold

import dev.pinfold.PinfoldException.Untrusted
import dev.pinfold.internal.Matched
import dev.pinfold.internal.PolicyChoice
import dev.pinfold.internal.PolicyPin
import dev.pinfold.internal.TriedPath
import kotlin.time.Instant
import dev.pinfold.internal.Explanation as FfiExplanation
import dev.pinfold.internal.PathFate as FfiFate
import dev.pinfold.internal.Verdict as FfiVerdict

/** Whole seconds since 1970, within the years that RFC 3339 can write. */
internal fun Instant.toSeconds(): ULong {
    if (epochSeconds !in 0 until YEAR_10000) {
        val reason = "not between the years 1970 and 9999"
        throw PinfoldException.InvalidRequest("request, at: $reason", "at")
    }
    return epochSeconds.toULong()
}

internal fun FfiExplanation.toPublic() =
    Explanation(
        host = host,
        at = at.toInstant(),
        isAllowed = allowed,
        verdict = verdict.toPublic(),
        // What is not trusted stays so, whatever the reason is called.
        distrust = distrust?.let { untrustedReason(it) ?: Untrusted.Reason.INVALID },
        policy = policy?.toPublic(),
        paths = paths.map { it.toPublic() },
        match = matched?.toPublic(),
        error = failure?.toException(),
        interception = interception?.toPublic(),
        json = json,
    )

private fun PolicyChoice.toPublic() =
    Explanation.Policy(
        host = host,
        isExact = isExact,
        mode = mode.toPublic(),
        trust = trust.toPublic(),
        expires = expires?.toInstant(),
        pins = pins.map { it.toPublic() },
    )

private fun PolicyPin.toPublic() = Explanation.Pin(pin, at.toPublic(), state.toPublic(), label)

private fun TriedPath.toPublic() =
    Explanation.Path(
        certificates = certificates.map { Explanation.Certificate(it.pin, it.subject) },
        fate =
            when (fate) {
                FfiFate.ACCEPTED -> Explanation.Fate.ACCEPTED
                FfiFate.BLOCKED -> Explanation.Fate.BLOCKED
                FfiFate.MATCH -> Explanation.Fate.MATCH
                FfiFate.NO_PIN -> Explanation.Fate.NO_PIN
            },
    )

private fun Matched.toPublic() =
    Explanation.Match(pin, at.toPublic(), subject, depth.toInt(), state.toPublic())

private fun FfiVerdict.toPublic() =
    when (this) {
        FfiVerdict.BLOCKED_KEY -> Explanation.Verdict.BLOCKED_KEY
        FfiVerdict.INSPECTED -> Explanation.Verdict.INSPECTED
        FfiVerdict.LAPSED -> Explanation.Verdict.LAPSED
        FfiVerdict.MATCH -> Explanation.Verdict.MATCH
        FfiVerdict.NO_MATCH -> Explanation.Verdict.NO_MATCH
        FfiVerdict.NOT_PINNED -> Explanation.Verdict.NOT_PINNED
        FfiVerdict.OFF -> Explanation.Verdict.OFF
    }

internal fun ULong.toInstant() = Instant.fromEpochSeconds(toLong())

private const val YEAR_10000 = 253_402_300_800L
