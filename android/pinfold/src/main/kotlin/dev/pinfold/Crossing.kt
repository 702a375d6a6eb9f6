package dev.pinfold

// What may cross to Rust. Rust's own limits are lower and their errors more exact; these are checked
// before memory for a copy is allocated.

internal fun checkPinSetSize(size: Int) {
    if (size > MAX_PIN_SET) {
        throw PinfoldException.InvalidPinSet("pin set, document: larger than 1 MiB", "document")
    }
}

internal fun checkEmbeddedSize(size: Int) {
    if (size > MAX_PIN_SET) {
        val place = "embedded, document"
        throw PinfoldException.InvalidPinSet("pin set, $place: larger than 1 MiB", place)
    }
}

internal fun checkBodySize(size: Int) {
    if (size > MAX_BODY) throw tooLarge("body", "larger than 1 GiB")
}

internal fun checkChainSize(chain: List<ByteArray>) {
    if (chain.sumOf { it.size.toLong() } > MAX_CHAIN) throw tooLarge("chain", "larger than 16 MiB")
}

/** The size of a request in one buffer, where the [head] needs at most so much. */
internal fun inputSize(
    head: ULong,
    body: Int,
): Int {
    if (head > (Int.MAX_VALUE - body).toULong()) throw tooLarge("headers", "too large with the URL")
    return head.toInt() + body
}

private fun tooLarge(
    place: String,
    reason: String,
) = PinfoldException.InvalidRequest("request, $place: $reason", place)

private const val MAX_PIN_SET = 1 shl 20
private const val MAX_CHAIN = 16L shl 20
private const val MAX_BODY = 1 shl 30
