package dev.pinfold

import okhttp3.OkHttpClient
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.net.InetAddress
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager
import okhttp3.Request as OkHttpRequest

/** What an app finds as it was with OkHttp, asked of OkHttp itself. */
class BesideOkHttpTest {
    @Test
    suspend fun `a body's characters are those that OkHttp reads`() {
        val latin = bytes(0x67, 0xFC)
        for (type in CONTENT_TYPES) assertSame(head(type), latin)
        for (body in BODIES) {
            assertSame(head(null), body)
            assertSame(head("text/plain; charset=iso-8859-1"), body)
        }
    }

    @Test
    suspend fun `a header's value is read as OkHttp reads it`() {
        val values =
            listOf("plain", "  blanks around \t", "caf\u00E9", "\u00C3\u00A9", "\u00FF\u00FE")
        for (value in values) {
            val head = "X-Value: ".encodeToByteArray() + value.toByteArray(Charsets.ISO_8859_1)
            assertSame(head + CRLF, ByteArray(0))
            assertSame("X-Value: $value".encodeToByteArray() + CRLF, ByteArray(0))
        }
    }

    @Test
    suspend fun `a header's value that OkHttp refuses is refused`() {
        Testkit.client().use { client ->
            for (value in listOf("caf\u00E9", "\u0007", "a\nb", "\u007F", "\uD83D\uDE00")) {
                assertThrows<IllegalArgumentException> {
                    OkHttpRequest.Builder().header("X-Value", value)
                }
                val refused =
                    assertThrows<PinfoldException.InvalidRequest> {
                        client.get(Testkit.url("/")) { header("X-Value", value) }
                    }
                assertEquals("header \"X-Value\"", refused.place)
            }
            val sent = client.get(Testkit.url("/echo")) { header("X-Value", "a\t~ b") }
            assertEquals(true, "a\\t~ b" in sent.text())
        }
    }

    @Test
    fun `header replaces and addHeader adds, in any case, as OkHttp's do`() {
        val theirs =
            OkHttpRequest
                .Builder()
                .url(Testkit.url("/"))
                .addHeader("A", "1")
                .header("a", "2")
                .addHeader("A", "3")
                .header("B", "4")
                .build()
        val ours =
            Request(Method.GET, Testkit.url("/")) {
                addHeader("A", "1")
                header("a", "2")
                addHeader("A", "3")
                header("B", "4")
            }
        val pairs = theirs.headers.map { (name, value) -> name to value }
        assertEquals(pairs, ours.headers.map { it.name to it.value })
    }

    private suspend fun assertSame(
        head: ByteArray,
        body: ByteArray,
    ) {
        val length = "Content-Length: ${body.size}\r\n\r\n".encodeToByteArray()
        val answer = "HTTP/1.1 200 OK\r\n".encodeToByteArray() + head + length + body
        val url = Testkit.url("/hex/" + answer.joinToString("") { "%02x".format(it) })
        val ours = client.get(url)
        // It is told the port where ours is led there.
        val direct = url.replace(Testkit.HOST, "${Testkit.HOST}:${Testkit.port("backend")}")
        okHttp.newCall(OkHttpRequest.Builder().url(direct).build()).execute().use { theirs ->
            val what = String(answer, Charsets.ISO_8859_1)
            assertEquals(theirs.header("X-Value"), ours.header("X-Value"), what)
            assertEquals(theirs.body.string(), ours.text(), what)
        }
    }

    private fun head(contentType: String?) =
        contentType?.let { "Content-Type: $it\r\n".encodeToByteArray() } ?: ByteArray(0)

    private companion object {
        val CRLF = "\r\n".encodeToByteArray()
        val CONTENT_TYPES =
            listOf(
                null,
                "text/plain",
                "text/plain; charset=utf-8",
                "text/plain; charset=iso-8859-1",
                "text/plain;CHARSET=ISO-8859-1",
                "text/plain; charset=\"iso-8859-1\"",
                "text/plain; charset='iso-8859-1'",
                "text/plain; a=b; charset=latin1; c=d",
                "text/plain; charset=us-ascii",
                "text/plain; charset=utf-16",
                "text/plain; charset=windows-1252",
                "text/plain; charset=klingon",
                "text/plain; charset=",
            )
        val BODIES =
            listOf(
                bytes(),
                bytes(0xC3, 0xBC),
                bytes(0xC3),
                bytes(0xE2, 0x82, 0x41),
                bytes(0xED, 0xA0, 0x80),
                bytes(0xEF, 0xBB, 0xBF, 0xC3, 0xBC),
                bytes(0xFE, 0xFF, 0, 0xFC),
                bytes(0xFF, 0xFE, 0xFC, 0),
                bytes(0xFF, 0xFE, 0xFC, 0, 0x3D, 0xD8),
                bytes(0xFF, 0xFE, 0, 0, 0xFC, 0, 0, 0),
                bytes(0, 0, 0xFE, 0xFF, 0, 0, 0, 0xFC),
            )
        val client = Testkit.client()
        val okHttp: OkHttpClient by lazy {
            val trust =
                TrustManagerFactory
                    .getInstance(TrustManagerFactory.getDefaultAlgorithm())
                    .apply { init(Testkit.keyStore("root")) }
                    .trustManagers
                    .single() as X509TrustManager
            val tls = SSLContext.getInstance("TLS").apply { init(null, arrayOf(trust), null) }
            OkHttpClient
                .Builder()
                .sslSocketFactory(tls.socketFactory, trust)
                .dns { listOf(InetAddress.getByName("127.0.0.1")) }
                .build()
        }

        fun bytes(vararg values: Int) = ByteArray(values.size) { values[it].toByte() }
    }
}
