package dev.pinfold.sample

import android.content.Context
import dev.pinfold.Freshness
import dev.pinfold.PinAt
import dev.pinfold.PinSetStatus
import dev.pinfold.PinSetUpdateException
import dev.pinfold.PinfoldException
import dev.pinfold.Pinning
import dev.pinfold.Response
import dev.pinfold.UpdateEvent

// What is shown of a request is its verdict, never what was sent or received.

internal fun Context.describe(response: Response): String =
    getString(R.string.allowed, response.status) + "\n" + describe(response.pinning)

internal fun Context.describe(error: PinfoldException): String {
    val refused = error is PinfoldException.CertificateRefused
    val lines =
        buildList {
            add(getString(if (refused) R.string.refused else R.string.failed))
            error.interception?.let { add(it.message) }
            add(getString(R.string.error, error.code, error.message))
            error.certificate?.issuer?.let { add(getString(R.string.issued_by, it)) }
            error.interception?.let { report ->
                add(getString(R.string.report, report.kind.code, report.confidence.code))
                report.evidence.forEach { add(getString(R.string.evidence, it.text)) }
            }
        }
    return lines.joinToString("\n")
}

internal fun Context.describe(
    status: PinSetStatus,
    event: UpdateEvent?,
): String {
    val (root, epoch, pinset) = status.order
    return listOfNotNull(
        getString(
            R.string.status,
            pinset,
            root,
            epoch,
            getString(word(status.freshness)),
            status.issued,
            status.expires,
            status.checked ?: getString(R.string.never),
            status.nextDue,
        ),
        status.lastError?.let { getString(R.string.last_error, describe(it)) },
        event?.let { getString(R.string.last_event, describe(it)) },
    ).joinToString("\n")
}

private fun Context.describe(pinning: Pinning): String =
    when (pinning) {
        is Pinning.Matched -> getString(matched(pinning.at), pinning.rule, pinning.pin)
        is Pinning.ReportOnly -> getString(R.string.report_only, pinning.mismatch.message)
        is Pinning.Inspected -> getString(R.string.inspected, pinning.authority, pinning.rule)
        is Pinning.Off -> getString(R.string.off, pinning.rule)
        is Pinning.Lapsed -> getString(R.string.entry_lapsed, pinning.rule)
        Pinning.NotPinned -> getString(R.string.not_pinned)
    }

private fun Context.describe(event: UpdateEvent): String =
    when (event) {
        is UpdateEvent.Updated -> getString(R.string.updated, event.order.pinset)
        is UpdateEvent.Rejected -> getString(R.string.rejected, describe(event.error))
        is UpdateEvent.Equivocation -> getString(R.string.equivocation, event.url)
        is UpdateEvent.StaleMirror -> getString(R.string.stale_mirror, event.url)
        is UpdateEvent.Unavailable -> getString(R.string.unavailable, event.message)
        is UpdateEvent.Store -> getString(R.string.store, event.message)
        UpdateEvent.Stale -> getString(R.string.stale)
        is UpdateEvent.Lapsed -> lapsed(event.host)
        is UpdateEvent.Inspected -> getString(R.string.inspected, event.authority, event.host)
    }

private fun Context.describe(error: PinSetUpdateException) =
    getString(R.string.error, error.code, error.message)

private fun Context.lapsed(host: String?) =
    getString(R.string.event_lapsed, host ?: getString(R.string.pin_set))

private fun matched(at: PinAt) =
    if (at == PinAt.LEAF) R.string.matched_leaf else R.string.matched_ca

private fun word(freshness: Freshness) =
    when (freshness) {
        Freshness.FRESH -> R.string.fresh
        Freshness.STALE -> R.string.stale
        Freshness.LAPSED -> R.string.lapsed
    }
