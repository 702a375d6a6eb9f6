package dev.pinfold

import dev.pinfold.internal.BodyKind
import dev.pinfold.internal.Opened
import dev.pinfold.internal.RequestHead
import dev.pinfold.internal.ResponseHead
import kotlin.time.Duration
import dev.pinfold.internal.Header as FfiHeader
import dev.pinfold.internal.Mode as FfiMode
import dev.pinfold.internal.PinAt as FfiPinAt
import dev.pinfold.internal.PinState as FfiPinState
import dev.pinfold.internal.Pinning as FfiPinning
import dev.pinfold.internal.Roots as FfiRoots
import dev.pinfold.internal.Trust as FfiTrust

/** Whether it may take as long as its body goes on. */
internal val Request.isOpenEnded: Boolean
    get() = timeout == null && content != null && content !is RequestBody.Bytes

internal val Request.bodySize: Int get() = body?.size ?: 0

private fun checkedLimit(bytes: Long?): ULong? {
    if (bytes != null && bytes < 0) {
        val place = "max_response_bytes"
        throw PinfoldException.InvalidRequest("request, $place: negative", place)
    }
    return bytes?.toULong()
}

private fun checkedRedirects(redirects: Int?): UInt? {
    if (redirects != null && redirects < 0) {
        val place = "max_redirects"
        throw PinfoldException.InvalidRequest("request, $place: negative", place)
    }
    return redirects?.toUInt()
}

internal fun Request.toHead(timeout: Duration?): RequestHead {
    checkNotNegative("timeout", timeout)
    checkNotNegative("read_timeout", readTimeout)
    return RequestHead(
        method = method.name.wellFormed(),
        url = url.wellFormed(),
        headers = headers.map(Header::toFfi),
        timeoutMs = timeout?.toMillis(),
        readTimeoutMs = readTimeout?.toMillis(),
        maxResponseBytes = checkedLimit(maxResponseBytes),
        maxRedirects = checkedRedirects(maxRedirects),
        body = content?.toKind() ?: BodyKind.Nothing,
    )
}

internal fun Header.toFfi() = FfiHeader(name.wellFormed(), value.wellFormed(), isSensitive)

private fun checkNotNegative(
    part: String,
    time: Duration?,
) {
    if (time?.isNegative() == true) {
        throw PinfoldException.InvalidRequest("request, $part: negative", part)
    }
}

internal fun ResponseHead.toResponse(body: ByteArray) =
    Response(
        status = status.toInt(),
        url = url,
        headers = headers.map { Header(it.name, it.value) },
        body = body,
        pinning = pinning.toPublic(),
    )

internal fun Opened.toResponse(call: NativeCall) =
    StreamingResponse(
        status = head.status.toInt(),
        url = head.url,
        headers = head.headers.map { Header(it.name, it.value) },
        pinning = head.pinning.toPublic(),
        body = ResponseBody(call, length?.toLong()),
    )

private fun FfiPinning.toPublic(): Pinning =
    when (this) {
        is FfiPinning.Matched -> Pinning.Matched(rule, pin, at.toPublic(), state.toPublic())
        is FfiPinning.ReportOnly -> Pinning.ReportOnly(mismatch.toPinMismatch())
        is FfiPinning.Inspected -> Pinning.Inspected(rule, authority, mismatch.toPinMismatch())
        is FfiPinning.Off -> Pinning.Off(rule)
        is FfiPinning.Lapsed -> Pinning.Lapsed(rule)
        FfiPinning.NotPinned -> Pinning.NotPinned
    }

internal fun FfiPinAt.toPublic() =
    when (this) {
        FfiPinAt.LEAF -> PinAt.LEAF
        FfiPinAt.CA -> PinAt.CA
        FfiPinAt.ANY -> PinAt.ANY
    }

internal fun FfiPinState.toPublic() =
    when (this) {
        FfiPinState.ACTIVE -> PinState.ACTIVE
        FfiPinState.BACKUP -> PinState.BACKUP
        FfiPinState.RETIRING -> PinState.RETIRING
    }

internal fun FfiMode.toPublic() =
    when (this) {
        FfiMode.ENFORCE -> Mode.ENFORCE
        FfiMode.REPORT_ONLY -> Mode.REPORT_ONLY
        FfiMode.OFF -> Mode.OFF
    }

internal fun FfiTrust.toPublic() =
    when (this) {
        FfiTrust.SYSTEM_AND_PIN -> Trust.SYSTEM_AND_PIN
        FfiTrust.PRIVATE_CA -> Trust.PRIVATE_CA
        FfiTrust.PIN_ONLY -> Trust.PIN_ONLY
    }

internal fun Mode.toFfi() =
    when (this) {
        Mode.ENFORCE -> FfiMode.ENFORCE
        Mode.REPORT_ONLY -> FfiMode.REPORT_ONLY
        Mode.OFF -> FfiMode.OFF
    }

internal fun Trust.toFfi() =
    when (this) {
        Trust.SYSTEM_AND_PIN -> FfiTrust.SYSTEM_AND_PIN
        Trust.PRIVATE_CA -> FfiTrust.PRIVATE_CA
        Trust.PIN_ONLY -> FfiTrust.PIN_ONLY
    }

internal fun PinAt.toFfi() =
    when (this) {
        PinAt.LEAF -> FfiPinAt.LEAF
        PinAt.CA -> FfiPinAt.CA
        PinAt.ANY -> FfiPinAt.ANY
    }

internal fun PinState.toFfi() =
    when (this) {
        PinState.ACTIVE -> FfiPinState.ACTIVE
        PinState.BACKUP -> FfiPinState.BACKUP
        PinState.RETIRING -> FfiPinState.RETIRING
    }

internal fun Roots.toFfi() =
    when (this) {
        Roots.System -> FfiRoots.System
        Roots.Bundled -> FfiRoots.Bundled
        is Roots.Only -> FfiRoots.Only(certificates)
    }

/** Whole milliseconds, rounded up, so that only zero is zero. */
internal fun Duration.toMillis(): ULong {
    val whole = inWholeMilliseconds
    val isWhole = inWholeNanoseconds % NANOS_PER_MILLI == 0L
    return (if (isWhole || whole == Long.MAX_VALUE) whole else whole + 1).toULong()
}

private const val NANOS_PER_MILLI = 1_000_000L
