package dev.pinfold

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import java.net.HttpURLConnection
import java.net.URI
import java.security.KeyStore
import java.security.cert.CertificateFactory
import java.util.Base64
import kotlin.time.Duration.Companion.seconds

/** The hostile HTTPS server of `testkit/`, one process for all tests. */
object Testkit {
    const val HOST = "api.example.test"

    // It ends when its standard input does, and that ends with this JVM.
    private val process =
        ProcessBuilder(System.getenv("PINFOLD_TESTKIT") ?: System.getProperty("pinfold.testkit"))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start()
    private val control =
        Json.parseToJsonElement(process.inputReader().readLine()).jsonObject.text("control")
    private val info = call("GET", "/info").jsonObject

    fun port(server: String): Int =
        info
            .getValue("servers")
            .jsonObject
            .long(server)
            .toInt()

    fun pin(name: String): String = info.getValue("pins").jsonObject.text(name)

    /** The certificates and the key of a client, in PEM. */
    fun identity(name: String): String = info.getValue("identities").jsonObject.text(name)

    fun certificate(name: String): ByteArray =
        Base64.getDecoder().decode(info.getValue("certificates").jsonObject.text(name))

    /** What each of the servers presents, end-entity first. */
    val chains: Map<String, List<ByteArray>> by lazy {
        mapOf(
            "backend" to listOf("backend", "intermediate"),
            "backend_root" to listOf("backend", "intermediate", "root"),
            "cross" to listOf("backend", "cross"),
            "deep" to listOf("deep", "intermediate2", "intermediate"),
            "expired" to listOf("expired", "intermediate"),
            "impostor" to listOf("impostor"),
            "interceptor" to listOf("interceptor"),
            "leaf_only" to listOf("leaf_only"),
            "leaf_signs" to listOf("leaf_signs", "backend", "intermediate"),
            "not_yet_valid" to listOf("not_yet_valid", "intermediate"),
            "pasted" to listOf("pasted", "backend", "intermediate", "root"),
            "private" to listOf("private"),
            "rotated" to listOf("rotated", "intermediate"),
            "rsa" to listOf("rsa", "intermediate"),
            "same_name_ca" to listOf("same_name_ca", "fake_intermediate", "intermediate"),
            "self_signed" to listOf("self_signed"),
            "self_signed_ca" to listOf("self_signed_ca"),
            "wrong_host" to listOf("wrong_host", "intermediate"),
        ).mapValues { (_, names) -> names.map { certificate(it) } }
    }

    /** A trust store of these certificates. */
    fun keyStore(vararg names: String): KeyStore {
        val certificates = CertificateFactory.getInstance("X.509")
        val store = KeyStore.getInstance(KeyStore.getDefaultType())
        store.load(null)
        for (name in names) {
            val certificate = certificates.generateCertificate(certificate(name).inputStream())
            store.setCertificateEntry(name, certificate)
        }
        return store
    }

    /** The first event of [kind] that [matches], once there is one. */
    fun await(
        server: String,
        kind: String,
        matches: (JsonObject) -> Boolean,
    ): JsonObject {
        var count = 1
        while (true) {
            val path = "/wait?server=$server&event=$kind&count=$count"
            val events = call("GET", path).objects().filter { it.text("event") == kind }
            events.find(matches)?.let { return it }
            count = events.size + 1
        }
    }

    /** The connection on which [path] was asked for. */
    fun awaitRequest(path: String): Long =
        await("backend", "request") { it.text("path") == path }.long("conn")

    /** What the server says of [connection] at its end. */
    fun awaitClosed(
        server: String,
        connection: Long,
    ): JsonObject = await(server, "closed") { it.long("conn") == connection }

    /** What [server] has seen of [kind] since the last [clear]. */
    fun events(
        server: String,
        kind: String,
    ): List<JsonObject> =
        call("GET", "/events?server=$server").objects().filter { it.text("event") == kind }

    fun clear(server: String) {
        call("POST", "/clear?server=$server")
    }

    /** Closes the connections of [server]. */
    fun drop(server: String) {
        call("POST", "/drop?server=$server")
    }

    /** Has [server] present another [chain] from now on, on new connections. */
    fun present(
        server: String,
        chain: String,
    ) {
        call("POST", "/present?server=$server&chain=$chain")
        drop(server)
    }

    /** Has [server] answer [path] with [content] from now on. */
    fun publish(
        server: String,
        path: String,
        content: String,
    ) {
        call("POST", "/publish?server=$server&path=$path", content)
    }

    /** What an app is built with, see `POST /embed`. */
    fun embed(
        query: String,
        edits: JsonObject,
    ): JsonObject = call("POST", "/embed?$query", edits.toString()).jsonObject

    /** Has a server offer a pin set, see `POST /sign`. */
    fun sign(
        query: String,
        edits: JsonObject,
    ) {
        call("POST", "/sign?$query", edits.toString())
    }

    fun url(path: String): String = "https://$HOST$path"

    /** Whether the library carries the public web's roots; the one for Android does not. */
    val hasPublicRoots: Boolean by lazy {
        try {
            PinnedClient(pins) { roots = Roots.Bundled }.close()
            true
        } catch (_: PinfoldException.InvalidConfig) {
            false
        }
    }

    /** Pins the CA of most servers. */
    val pins: PinSet by lazy { pinSet { pin(Testkit.pin("intermediate"), at = PinAt.CA) } }

    /** An entry for [HOST], with a backup. */
    fun pinSet(configure: HostBuilder.() -> Unit): PinSet =
        PinSet.build {
            version = 7
            host(HOST) {
                configure()
                backup(Testkit.pin("backup"))
            }
        }

    fun client(
        server: String = "backend",
        pins: PinSet = this.pins,
        configure: ClientConfig.() -> Unit = {},
    ): PinnedClient =
        PinnedClient(pins) {
            roots = Roots.Only(listOf(certificate("root"), certificate("other_root")))
            timeout = 20.seconds
            connectTo(HOST, 443, "127.0.0.1:${port(server)}")
            configure()
        }

    private fun call(
        method: String,
        path: String,
        body: String? = null,
    ): JsonElement {
        // Never through the proxies that tests set.
        val direct = URI(control + path).toURL().openConnection(java.net.Proxy.NO_PROXY)
        val connection = direct as HttpURLConnection
        connection.requestMethod = method
        if (body != null) {
            connection.doOutput = true
            connection.outputStream.use { it.write(body.encodeToByteArray()) }
        }
        val status = connection.responseCode
        val stream = if (status == 200) connection.inputStream else connection.errorStream
        val answer = stream.reader().readText()
        check(status == 200) { "$method $path: $status $answer" }
        return Json.parseToJsonElement(answer)
    }
}

fun JsonElement.objects(): List<JsonObject> = jsonArray.map { it.jsonObject }

fun JsonObject.text(name: String): String = getValue(name).jsonPrimitive.content

fun JsonObject.long(name: String): Long = getValue(name).jsonPrimitive.long
