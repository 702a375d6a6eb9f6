package dev.pinfold.okhttp

import okhttp3.FormBody
import okhttp3.Headers.Companion.headersOf
import okhttp3.MediaType
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.MultipartBody
import okhttp3.RequestBody
import okhttp3.RequestBody.Companion.asRequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okio.BufferedSink
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File

class MultipartContract(
    way: Way,
) : Contract(way) {
    @Test
    fun `a field has a name and a value`() {
        assertSent("--x\r\n${field("a")}\r\n\r\n1\r\n--x--\r\n") { addFormDataPart("a", "1") }
    }

    @Test
    fun `a file has a name and a type`(
        @TempDir folder: File,
    ) {
        val file = folder.resolve("cat.txt").apply { writeText("meow") }
        val type = "text/plain".toMediaType()
        val expected =
            "--x\r\n${field("f")}; filename=\"cat.txt\"\r\nContent-Type: text/plain\r\n\r\n" +
                "meow\r\n--x--\r\n"
        assertSent(expected) { addFormDataPart("f", "cat.txt", file.asRequestBody(type)) }
    }

    @Test
    fun `several parts come in order`() {
        val expected = "--x\r\n${field("a")}\r\n\r\n1\r\n--x\r\n${field("b")}\r\n\r\n2\r\n--x--\r\n"
        assertSent(expected) {
            addFormDataPart("a", "1")
            addFormDataPart("b", "2")
        }
    }

    @Test
    fun `quotes and line ends in names are escaped`() {
        val expected = "--x\r\n${field("a%22b%0Ac")}\r\n\r\n1\r\n--x--\r\n"
        assertSent(expected) { addFormDataPart("a\"b\nc", "1") }
    }

    @Test
    fun `other characters in names are UTF-8`() {
        val expected = "--x\r\n${field("\u00FC\u4E2D")}\r\n\r\n\u00E9\r\n--x--\r\n"
        assertSent(expected) { addFormDataPart("\u00FC\u4E2D", "\u00E9") }
    }

    @Test
    fun `a part of no known length comes in chunks`() {
        answer()
        val part =
            object : RequestBody() {
                override fun contentType(): MediaType? = null

                override fun writeTo(sink: BufferedSink) {
                    sink.writeUtf8("written")
                }
            }
        post(MultipartBody.Builder("x").addPart(part).build()).close()
        val request = received()
        assertEquals("chunked", request.headers["Transfer-Encoding"])
        assertEquals("--x\r\n\r\nwritten\r\n--x--\r\n", request.body?.utf8())
    }

    @Test
    fun `a part has headers of its own`() {
        val type = "Content-Type: text/css; charset=utf-8"
        val expected = "--x\r\nX-Part: 1\r\n$type\r\n\r\na{}\r\n--x--\r\n"
        assertSent(expected) {
            addPart(headersOf("X-Part", "1"), "a{}".toRequestBody("text/css".toMediaType()))
        }
    }

    @Test
    fun `another type has its boundary`() {
        answer()
        val body =
            MultipartBody
                .Builder()
                .setType(MultipartBody.MIXED)
                .addPart("1".toRequestBody())
                .build()
        post(body).close()
        val request = received()
        assertEquals("multipart/mixed; boundary=${body.boundary}", request.headers["Content-Type"])
        assertTrue(checkNotNull(request.body).utf8().startsWith("--${body.boundary}\r\n"))
    }

    @Test
    fun `a form is encoded`() {
        answer()
        post(FormBody.Builder().add("a b", "c&d=\u00E9").build()).close()
        val request = received()
        assertEquals("application/x-www-form-urlencoded", request.headers["Content-Type"])
        assertEquals("a+b=c%26d%3D%C3%A9", request.body?.utf8())
    }

    private fun field(name: String) = "Content-Disposition: form-data; name=\"$name\""

    private fun assertSent(
        expected: String,
        build: MultipartBody.Builder.() -> Unit,
    ) {
        answer()
        val body = MultipartBody.Builder("x").setType(MultipartBody.FORM).apply(build)
        post(body.build()).close()
        val request = received()
        assertEquals("multipart/form-data; boundary=x", request.headers["Content-Type"])
        assertEquals("${expected.toByteArray().size}", request.headers["Content-Length"])
        assertEquals(expected, request.body?.utf8())
    }
}
