package dev.pinfold

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import kotlin.time.Duration
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.nanoseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.Instant

class InvalidInputTest {
    @Test
    fun `a malformed JSON pin set is refused at its place`() {
        val pins = """{"sha256":"$A"},{"sha256":"$B"}"""
        val host = """"host":"a.example","pins":[$pins]"""
        val places =
            mapOf(
                "" to "document",
                "[]" to "document",
                "\uFEFF{}" to "document",
                "\u0000" to "document",
                "\uD800" to "document",
                """{"schema":1,"hosts":[]}x""" to "document",
                """{"schema":2,"hosts":[]}""" to "schema",
                """{"schema":1,"hosts":[],"more":1}""" to "more",
                """{"schema":1,"hosts":[{"host":"","pins":[$pins]}]}""" to "hosts[0].host",
                """{"schema":1,"hosts":[{$host},{$host}]}""" to "hosts[1].host",
                """{"schema":1,"hosts":[{"host":"a.example","pins":[]}]}""" to "hosts[0].pins",
                """{"schema":1,"hosts":[{$host,"mode":"x"}]}""" to "hosts[0].mode",
                """{"schema":1,"hosts":[{$host,"expires":"x"}]}""" to "hosts[0].expires",
                """{"schema":1,"hosts":[{"host":"a.example","pins":[{"sha256":"x"}]}]}""" to
                    "hosts[0].pins[0].sha256",
                """{"schema":1,"hosts":[{"host":"a\uDC00b","pins":[$pins]}]}""" to "hosts[0].host",
                """{"schema":1,"note":"${"x".repeat(300_000)}","hosts":[]}""" to "document",
            )
        for ((json, place) in places) {
            val error = assertThrows<PinfoldException.InvalidPinSet>(json) { PinSet.parse(json) }
            assertEquals("invalid_pin_set", error.code)
            assertEquals(place, error.place, "${json.take(100)}: ${error.message}")
        }
        val unfinished = assertThrows<PinfoldException.InvalidPinSet> { PinSet.parse("{") }
        assertTrue(unfinished.message.contains("line 1 column 1"), unfinished.message)
        assertThrows<PinfoldException.InvalidPinSet> { PinSet.parse(byteArrayOf(-1, -2)) }
    }

    @Test
    fun `a huge JSON pin set is refused before it is copied`() {
        val limit = 1 shl 20
        val ours = "pin set, document: larger than 1 MiB"
        for (size in listOf(limit, limit + 1, 2 * limit)) {
            val bytes = refusedDocument { PinSet.parse(ByteArray(size)) }
            val text = refusedDocument { PinSet.parse(" ".repeat(size)) }
            assertEquals(size > limit, bytes == ours, bytes)
            assertEquals(size > limit, text == ours, text)
        }
        // Fewer characters than allowed, but more bytes.
        assertEquals(ours, refusedDocument { PinSet.parse("\u20AC".repeat(limit / 2)) })
    }

    @Test
    fun `a huge request is refused before it is copied`() {
        val limit = 1 shl 30
        checkBodySize(limit)
        val body = assertThrows<PinfoldException.InvalidRequest> { checkBodySize(limit + 1) }
        assertEquals("body", body.place)
        assertEquals(Int.MAX_VALUE, inputSize((limit - 1).toULong(), limit))
        for (size in listOf(limit.toULong(), ULong.MAX_VALUE)) {
            val head = assertThrows<PinfoldException.InvalidRequest> { inputSize(size, limit) }
            assertEquals("headers", head.place)
        }
    }

    @Test
    fun `a body over 1 GiB is refused when it is sent`() {
        assumeTrue(Runtime.getRuntime().maxMemory() > 2L shl 30, "the heap is too small for it")
        val bytes = ByteArray((1 shl 30) + 1)
        val request = Request(Method.POST, Testkit.url("/")) { body(bytes) }
        assertEquals("body", invalid<PinfoldException.InvalidRequest>(request).place)
    }

    @Test
    fun `a malformed pin set in code is refused at the same places`() {
        refused("version") { version = 0 }
        refused("version") { version = -1 }
        for (pin in listOf("", "sha256/", "sha256/$A=", A, "cert-sha256/$A", "\uD800")) {
            refused("blocked_spki[1]") { blockedSpki = listOf("sha256/$B", pin) }
        }
        for (host in listOf("", "a\u0000b", "\uD800", "co.uk", "a/b", "x".repeat(1 shl 20))) {
            refused("hosts[0].host") { host(host) { twoPins() } }
        }
        refused("hosts[1].host") {
            host("a.example") { twoPins() }
            host("A.EXAMPLE.") { twoPins() }
        }
        refused("hosts[0].include_subdomains") { host("1.2.3.4", true) { twoPins() } }
        refused("hosts[0].pins") { host("a.example") { pin("sha256/$A") } }
        refused("hosts[0].pins[0].sha256") { host("a.example") { pin("md5/$A") } }
        refused("hosts[0].pins[0].cert_sha256") { host("a.example") { pin("cert-sha256/\uDFFF") } }
        refused("hosts[0].pins[0].label") {
            host("a.example") { pin("sha256/$A", label = "x".repeat(2_000)) }
        }
        refused("hosts[0].pins[0].cert") {
            host("a.example") { pin("sha256/$A", certificate = byteArrayOf(1)) }
        }
        refused("hosts[0].expires") {
            host("a.example") {
                twoPins()
                expires = Instant.DISTANT_FUTURE
            }
        }
        refused("hosts[0].anchors") {
            host("a.example") {
                twoPins()
                trust = Trust.PRIVATE_CA
            }
        }
        refused("hosts[0].anchors[0]") {
            host("a.example") {
                twoPins()
                trust = Trust.PRIVATE_CA
                anchor(byteArrayOf(1))
            }
        }
    }

    @Test
    fun `a malformed URL is refused and its secrets are not shown`() {
        val urls =
            listOf(
                "",
                "api.example.test",
                "http://api.example.test/?s3cret",
                "https://",
                "https://user:s3cret@api.example.test/",
                "https://api.example.test/\u0000",
                "https://api.example.test/\r\nHost: x",
                "https://api.example.test/\uD83D",
                "https://\uDE00/",
                "https://api.example.test:99999/",
                "https://api.example.test/${"x".repeat(1 shl 20)}",
            )
        for (url in urls) {
            val error = invalid<PinfoldException.InvalidUrl>(Request(Method.GET, url))
            assertEquals("invalid_url", error.code)
            assertTrue(error.place!!.length <= 100)
            assertFalse(error.message.contains("s3cret"), error.message)
        }
    }

    @Test
    fun `a malformed header is refused by name and its value is not shown`() {
        val headers =
            listOf(
                "X" to "s3cret\u0000",
                "X" to "s3cret\r\nInjected: 1",
                "X" to "s3cret ü",
                "X" to "s3cret \uD800",
                "" to "s3cret",
                "a b" to "s3cret",
                "a\r\nb" to "s3cret",
                "ä" to "s3cret",
                "\uDC00" to "s3cret",
                "Host" to "s3cret",
                "Content-Length" to "s3cret",
                "x".repeat(1 shl 20) to "s3cret",
                "X" to "s3cret".repeat(1 shl 20),
            )
        for ((name, value) in headers) {
            val request = Request(Method.GET, Testkit.url("/")) { header(name, value) }
            val error = invalid<PinfoldException.InvalidRequest>(request)
            assertTrue(error.place!!.startsWith("header"), error.place)
            assertFalse(error.message.contains("s3cret"), error.message)
        }
    }

    @Test
    fun `a body and a timeout that cannot be are refused`() {
        val url = Testkit.url("/")
        for (method in listOf(Method.GET, Method.HEAD)) {
            val request = Request(method, url) { body("x") }
            assertEquals("body", invalid<PinfoldException.InvalidRequest>(request).place)
        }
        val surrogate =
            assertThrows<PinfoldException.InvalidRequest> {
                Request(Method.POST, url) { body("\uD800") }
            }
        assertEquals("body", surrogate.place)
        for (time in listOf(Duration.ZERO, (-1).seconds, -Duration.INFINITE)) {
            val request = Request(Method.GET, url) { timeout = time }
            assertEquals("timeout", invalid<PinfoldException.InvalidRequest>(request).place)
        }
        for (time in listOf((-1).seconds, 25.hours, Duration.INFINITE)) {
            val request = Request(Method.GET, url) { readTimeout = time }
            assertEquals("read_timeout", invalid<PinfoldException.InvalidRequest>(request).place)
        }
    }

    @Test
    fun `settings out of range are refused by name`() {
        for (time in listOf(Duration.ZERO, (-1).nanoseconds, 2.days, Duration.INFINITE)) {
            misconfigured("timeout") { timeout = time }
            misconfigured("connect_timeout") { connectTimeout = time }
        }
        for (time in listOf((-1).nanoseconds, 2.days, Duration.INFINITE)) {
            misconfigured("read_timeout") { readTimeout = time }
        }
        for (requests in listOf(-1, 0, 10_001, Int.MAX_VALUE)) {
            misconfigured("max_requests") { maxRequests = requests }
            misconfigured("max_requests_per_host") { maxRequestsPerHost = requests }
        }
        for (connections in listOf(-1, 1_001, Int.MAX_VALUE)) {
            misconfigured("max_idle_connections") { maxIdleConnections = connections }
        }
        for (bytes in listOf(0, -1, (1L shl 30) + 1, Long.MAX_VALUE)) {
            misconfigured("max_response_bytes") { maxResponseBytes = bytes }
        }
        for (redirects in listOf(-1, 51, Int.MAX_VALUE)) {
            misconfigured("max_redirects") { maxRedirects = redirects }
        }
        for (text in listOf("a\r\nb", "\u0000", "\uD800", "x".repeat(1 shl 20))) {
            misconfigured("user_agent") { userAgent = text }
        }
        misconfigured("connect_to[0]") { connectTo("a.example", 443, "nowhere") }
        misconfigured("connect_to[0]") { connectTo("a.example", 443, "\uD800") }
        misconfigured("connect_to[0]") { connectTo("a.example", 0, "1.2.3.4:5") }
        misconfigured("connect_to[0]") { connectTo("a.example", 65_536, "1.2.3.4:5") }
        misconfigured("connect_to") { connectTo("a b", 443, "1.2.3.4:5") }
    }

    @Test
    fun `roots that are no certificates are refused by number`() {
        val roots = Roots.Only(listOf(Testkit.certificate("root"), byteArrayOf(1, 2, 3)))
        val error =
            assertThrows<PinfoldException.InvalidCertificate> {
                PinnedClient(Testkit.pins) { this.roots = roots }
            }
        assertEquals("invalid_certificate", error.code)
        assertEquals("roots[1]", error.place)
    }

    @Test
    fun `the smallest timeout is one, not none`() {
        assertEquals(1UL, 1.nanoseconds.toMillis())
        assertEquals(1_000UL, 1.seconds.toMillis())
        assertEquals(1_001UL, (1.seconds + 1.nanoseconds).toMillis())
        assertEquals(Long.MAX_VALUE.toULong(), Duration.INFINITE.toMillis())
    }

    private fun HostBuilder.twoPins() {
        pin("sha256/$A")
        backup("sha256/$B")
    }

    private fun refusedDocument(parse: () -> Unit): String {
        val error = assertThrows<PinfoldException.InvalidPinSet> { parse() }
        assertEquals("document", error.place)
        return error.message
    }

    private fun refused(
        place: String,
        configure: PinSetBuilder.() -> Unit,
    ) {
        val error = assertThrows<PinfoldException.InvalidPinSet>(place) { PinSet.build(configure) }
        assertEquals(place, error.place, error.message)
    }

    private fun misconfigured(
        place: String,
        configure: ClientConfig.() -> Unit,
    ) {
        val error =
            assertThrows<PinfoldException.InvalidConfig>(place) {
                PinnedClient(Testkit.pins, configure)
            }
        assertEquals("invalid_config", error.code)
        assertEquals(place, error.place, error.message)
    }

    private inline fun <reified T : PinfoldException> invalid(request: Request): T =
        Testkit.client().use { client ->
            assertThrows<T>(request.toString()) { client.sendBlocking(request) }
        }

    private companion object {
        const val A = "r/mIkG3eEpVdm+u/ko/cwxzOMo1bk4TyHIlByibiA5E="
        const val B = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg="
    }
}
