package dev.pinfold

import kotlinx.serialization.DeserializationStrategy
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.MissingFieldException
import kotlinx.serialization.SerializationException
import kotlinx.serialization.SerializationStrategy
import kotlinx.serialization.json.Json
import kotlinx.serialization.serializer

/**
 * Sets [value] as the body, in JSON, and its `Content-Type` unless there is one. For apps that use
 * kotlinx.serialization, which is a dependency of theirs and not of Pinfold.
 *
 * ```
 * val response = client.post("https://api.example.com/v1/orders") { json(Order(item = 7)) }
 * val order = response.json<Order>()
 * ```
 *
 * @param format How it is written.
 * @throws PinfoldException.InvalidRequest for what has no form in JSON.
 */
public inline fun <reified T> RequestBuilder.json(
    value: T,
    format: Json = Json,
): Unit = setJson(format, format.serializersModule.serializer<T>(), value)

/**
 * The body's value, read from JSON. Whatever the status is: look at [ResponseHead.status] first.
 *
 * @param format How it is read.
 * @throws PinfoldException.InvalidResponse where it is not what was expected. It says nothing of the body,
 *   and has no cause: those of kotlinx.serialization quote it.
 */
public inline fun <reified T> Response.json(format: Json = Json): T =
    readJson(format, format.serializersModule.serializer<T>())

@PublishedApi
internal fun <T> RequestBuilder.setJson(
    format: Json,
    serializer: SerializationStrategy<T>,
    value: T,
) {
    val text =
        try {
            format.encodeToString(serializer, value)
        } catch (_: SerializationException) {
            throw PinfoldException.InvalidRequest(
                "request, body: a value that has no form in JSON",
                "body",
            )
        }
    val hasType = headers.any { it.name.equals(CONTENT_TYPE, ignoreCase = true) }
    body(text, contentType = if (hasType) null else "application/json")
}

@PublishedApi
@OptIn(ExperimentalSerializationApi::class)
internal fun <T> Response.readJson(
    format: Json,
    serializer: DeserializationStrategy<T>,
): T {
    val reason =
        try {
            return format.decodeFromString(serializer, text().removePrefix("\uFEFF"))
        } catch (e: MissingFieldException) {
            "JSON without ${e.missingFields.joinToString()}"
        } catch (_: SerializationException) {
            "not the JSON that was expected"
        } catch (_: IllegalArgumentException) {
            "not the JSON that was expected"
        }
    val host = url.host()
    throw PinfoldException.InvalidResponse(
        "$host sent an unusable response: its body: $reason",
        host,
    )
}

private const val CONTENT_TYPE = "Content-Type"
