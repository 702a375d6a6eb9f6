@file:Suppress("ktlint:standard:max-line-length", "unused", "UNUSED_VARIABLE")

package dev.pinfold

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.io.File
import java.io.InputStream
import java.net.URL
import java.util.zip.GZIPOutputStream
import javax.net.ssl.HttpsURLConnection
import kotlin.time.Duration.Companion.seconds

/** The samples of `docs/kotlin`: that they compile is enough. [ReadmeTest] looks for each here. */
class Guide(
    private val client: PinnedClient,
    private val translations: Map<String, String>,
) {
    private fun show(text: String) = println(text)

    private fun report(text: String) = println(text)

    fun pinTheKey(): PinSet {
        val pins =
            PinSet.build {
                host("api.example.com") {
                    pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI=", at = PinAt.LEAF)
                    backup("sha256/P8TNKwpRMWUeT8m9bVAlTBDjCRKjLNw1RuO1pB4rDBE=")
                }
            }
        return pins
    }

    suspend fun sendARequest(pins: PinSet) {
        val client = PinnedClient(pins)
        val response = client.get("https://api.example.com/v1/status")
        println("${response.status} ${response.text()}")
    }

    suspend fun sendABody(key: String) {
        val order =
            client.post("https://api.example.com/v1/orders") {
                body("""{"item":7}""", contentType = "application/json")
                sensitiveHeader("X-Api-Key", key)
                timeout = 10.seconds
            }
    }

    suspend fun base(
        pins: PinSet,
        key: String,
    ) {
        val client =
            PinnedClient(pins) {
                baseUrl = "https://api.example.com/v2/"
                defaultHeader("Accept-Language", "de")
                sensitiveDefaultHeader("X-Api-Key", key)
            }
        val response = client.get("me")
    }

    suspend fun json() {
        val sent = client.post("orders") { json(mapOf("item" to 7)) }
        val order = sent.json<Map<String, Int>>()
    }

    interface TokenStore {
        suspend fun current(): String

        suspend fun refreshed(): String
    }

    fun tokens(
        pins: PinSet,
        tokens: TokenStore,
    ) {
        val client =
            PinnedClient(pins) {
                baseUrl = "https://api.example.com/v2/"
                authenticator =
                    Authenticator { refused ->
                        val token = if (refused == null) tokens.current() else tokens.refreshed()
                        "Bearer $token"
                    }
            }
    }

    fun cookies(
        pins: PinSet,
        folder: File,
    ) {
        val jar = CookieJar(File(folder, "cookies"))
        val client = PinnedClient(pins) { cookies = jar }
    }

    suspend fun accounts() {
        val alice = client.session { cookies = CookieJar() }
        val bob = client.session { cookies = CookieJar() }
        show(alice.get("https://api.example.com/v2/me").text())
    }

    fun retries(pins: PinSet) {
        val client = PinnedClient(pins) { retries = 2 }
    }

    suspend fun errors() {
        try {
            show(client.get("https://api.example.com/v1/status").text())
        } catch (e: PinfoldException.PinMismatch) {
            report("intercepted by ${e.certificate.issuer ?: "somebody"}")
        } catch (e: PinfoldException.Timeout) {
            show("The server takes too long. Try again.")
        }
    }

    fun words(e: PinfoldException): String =
        e.interception?.let { translations[it.kind.code] ?: it.message }
            ?: "No connection: ${e.code}"

    fun reportOnly(response: Response) {
        val pinning = response.pinning
        if (pinning is Pinning.ReportOnly) report(pinning.mismatch.message)
    }

    fun cancel(scope: CoroutineScope) {
        val job = scope.launch { client.get("https://api.example.com/v1/status") }
        job.cancel()
    }

    fun setUp(
        embedded: ByteArray,
        folder: File,
    ): PinnedClient {
        val updater =
            PinSetUpdater(embedded) {
                directory = folder
                onEvent = { event -> report("pins: $event") }
            }
        val client = PinnedClient(updater)
        return client
    }

    suspend fun look(updater: PinSetUpdater) {
        try {
            show(if (updater.refresh() == Refreshed.UPDATED) "new pins" else "nothing new")
        } catch (e: PinSetUpdateException) {
            report("${e.code} at ${e.place ?: "no place"}: ${e.message}")
        }
    }

    fun howItStands(updater: PinSetUpdater) {
        val status = updater.status()
        show("pin set ${status.order.pinset}, ${status.freshness}, expires ${status.expires}")
        show("last error: ${status.lastError?.message ?: "none"}")
    }

    suspend fun gateway() {
        try {
            show(client.get("https://api.example.com/v1/status").text())
        } catch (e: PinfoldException) {
            val who = e.interception
            if (who?.kind != InterceptionReport.Kind.INSPECTION_PRODUCT) throw e
            show("${who.product ?: "A gateway"} reads what apps send.")
        }
    }

    fun consent(
        embedded: ByteArray,
        managed: Map<String, String>,
    ) {
        val updater =
            PinSetUpdater(embedded) {
                managedConfiguration = ManagedConfiguration { managed[it] }
            }
    }

    fun inspected(response: Response) {
        val pinning = response.pinning
        if (pinning is Pinning.Inspected) {
            show("Your organisation reads this connection (${pinning.authority}).")
        }
    }

    fun ownAuthority(authority: ByteArray): PinSet {
        val intranet =
            PinSet.build {
                host("intranet.example.com") {
                    trust = Trust.PRIVATE_CA
                    anchor(authority)
                    pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI=", at = PinAt.CA)
                    backup("sha256/P8TNKwpRMWUeT8m9bVAlTBDjCRKjLNw1RuO1pB4rDBE=", at = PinAt.CA)
                }
            }
        return intranet
    }

    fun staging(
        pins: PinSet,
        stagingAddress: String,
        testRoot: ByteArray,
    ): PinnedClient {
        val client =
            PinnedClient(pins) {
                connectTo("api.example.com", 443, stagingAddress)
                roots = Roots.Only(listOf(testRoot))
            }
        return client
    }

    suspend fun thatPinningWorks() {
        val wrong =
            PinSet.build {
                host("api.example.com") {
                    pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI=")
                    backup("sha256/P8TNKwpRMWUeT8m9bVAlTBDjCRKjLNw1RuO1pB4rDBE=")
                }
            }
        try {
            PinnedClient(wrong).use { it.get("https://api.example.com/v1/status") }
            report("pins are ignored")
        } catch (e: PinfoldException.PinMismatch) {
            show("refused, as it should be: ${e.code}")
        }
    }

    suspend fun why(chain: List<ByteArray>) {
        val told = client.explain("api.example.com", chain)
        if (!told.isAllowed) report(told.json)
    }

    fun fromPinner(): PinnedClient {
        val pins =
            PinSet.build {
                host("example.com", includeSubdomains = true) {
                    pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI=")
                    backup("sha256/P8TNKwpRMWUeT8m9bVAlTBDjCRKjLNw1RuO1pB4rDBE=")
                }
            }
        val client = PinnedClient(pins) { denyUnpinned = false }
        return client
    }

    suspend fun fromRequest(token: String) {
        val response =
            client.get("https://api.example.com/v1/me") {
                header("Accept", "application/json")
                addHeader("X-Trace", "1")
                header("Authorization", "Bearer $token")
            }
        if (response.isSuccessful) show(response.text())
    }

    fun open(
        tls: PinnedTls,
        url: URL,
    ): HttpsURLConnection {
        val connection = url.openConnection() as HttpsURLConnection
        connection.sslSocketFactory = tls.socketFactory
        return connection
    }

    suspend fun upload(folder: File) {
        client.post("https://api.example.com/v1/photos") {
            multipart {
                text("caption", "Our cat")
                file("photo", File(folder, "cat.jpg"), contentType = "image/jpeg")
            }
            onUpload { progress -> show("$progress") }
        }
    }

    suspend fun write(database: File) {
        client.post("https://api.example.com/v1/backup") {
            writtenBody(contentType = "application/gzip") { to ->
                GZIPOutputStream(to).use { zipped -> database.inputStream().copyTo(zipped) }
            }
        }
    }

    suspend fun download(
        folder: File,
        digest: String,
    ) {
        val request = Request(Method.GET, "https://cdn.example.com/maps/berlin.bin")
        val response =
            client.download(request, File(folder, "berlin.bin"), sha256 = digest) { progress ->
                show("$progress")
            }
        if (!response.isSuccessful) show("no map: ${response.status}")
    }

    suspend fun pull() {
        client.stream(Request(Method.GET, "https://api.example.com/v1/log")) { response ->
            response.body.flow().collect { piece -> show("${piece.size} bytes") }
        }
    }

    private fun decode(stream: InputStream) = stream.readBytes()

    suspend fun decoded() {
        client.stream(Request(Method.GET, "https://api.example.com/v1/me.png")) { response ->
            withContext(Dispatchers.IO) { decode(response.body.inputStream()) }
        }
    }
}
