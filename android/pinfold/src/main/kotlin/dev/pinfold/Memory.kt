package dev.pinfold

/**
 * Memory of [size] bytes, or what [refusal] says where there is no room for it. An app is not told to
 * expect an `OutOfMemoryError`, and one that nobody catches ends it.
 */
internal inline fun <T> allocated(
    size: Int,
    refusal: () -> PinfoldException,
    allocate: (Int) -> T,
): T {
    if (size > Runtime.getRuntime().maxMemory()) throw refusal()
    return try {
        allocate(size)
    } catch (_: OutOfMemoryError) {
        // Of one array: nothing else is half done.
        throw refusal()
    }
}
