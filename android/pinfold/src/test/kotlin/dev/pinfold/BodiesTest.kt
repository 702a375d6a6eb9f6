package dev.pinfold

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.asFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.fold
import kotlinx.coroutines.supervisorScope
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.io.FileNotFoundException
import java.security.MessageDigest
import java.util.Base64
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ExecutionException
import kotlin.time.Duration.Companion.milliseconds

/** Bodies that are pulled, pushed and saved. */
class BodiesTest {
    @TempDir lateinit var folder: File

    @Test
    suspend fun `a body is pulled as flow, by hand and as a stream`() {
        Testkit.client().use { client ->
            val expected = letters(300_000)
            val flowed =
                client.stream(get("/bytes/300000")) { response ->
                    assertEquals(200, response.status)
                    assertEquals(300_000L, response.body.length)
                    assertEquals("300000", response.header("Content-Length"))
                    response.body.flow(10_000).fold(ByteArray(0)) { all, piece ->
                        assertTrue(piece.size <= 10_000)
                        all + piece
                    }
                }
            assertArrayEquals(expected, flowed)
            val streamed =
                client.stream(get("/chunked/300000")) {
                    withContext(Dispatchers.IO) { it.body.inputStream().readBytes() }
                }
            assertArrayEquals(expected, streamed)
            val byHand =
                client.stream(get("/gzip/300000")) {
                    assertEquals(null, it.body.length)
                    val buffer = ByteArray(1_000)
                    var size = 0
                    while (true) {
                        val n = it.body.read(buffer, offset = 10)
                        if (n < 0) break
                        size += n
                    }
                    size
                }
            assertEquals(300_000, byHand)
        }
        awaitNoCalls()
    }

    @Test
    suspend fun `a body that is left before its end closes its connection and no other`() {
        Testkit.client().use { client ->
            lateinit var body: ResponseBody
            client.stream(get("/endless?left")) {
                body = it.body
                assertTrue(
                    it.body
                        .flow()
                        .first()
                        .isNotEmpty(),
                )
            }
            Testkit.awaitClosed("backend", Testkit.awaitRequest("/endless?left"))
            assertThrows<PinfoldException.Cancelled> { body.read(ByteArray(1)) }
            assertEquals(200, client.get(Testkit.url("/")).status)
        }
        awaitNoCalls()
    }

    @Test
    suspend fun `cancelling the coroutine ends a body that is being pulled`() =
        supervisorScope {
            Testkit.client().use { client ->
                val reading = CompletableDeferred<Unit>()
                val call =
                    async(Dispatchers.Default) {
                        client.stream(get("/hang-body?pulled")) { response ->
                            response.body.flow().collect { reading.complete(Unit) }
                        }
                    }
                reading.await()
                call.cancel()
                assertThrows<CancellationException> { call.await() }
                Testkit.awaitClosed("backend", Testkit.awaitRequest("/hang-body?pulled"))
            }
            awaitNoCalls()
        }

    @Test
    suspend fun `a body that breaks off is an error`() {
        Testkit.client().use { client ->
            assertThrows<PinfoldException.Truncated> {
                client.stream(get("/short")) { it.body.flow().collect { } }
            }
            val limited = Request(Method.GET, Testkit.url("/bomb")) { maxResponseBytes = 1_000_000 }
            assertThrows<PinfoldException.ResponseTooLarge> {
                client.stream(limited) { it.body.flow().collect { } }
            }
        }
        awaitNoCalls()
    }

    @Test
    fun `the blocking variant does the same, and a token or closing ends it`() {
        Testkit.client().use { client ->
            client.streamBlocking(get("/bytes/100000")).use {
                assertArrayEquals(letters(100_000), it.body.inputStream().readBytes())
            }
            val token = CancelToken()
            for (end in listOf<(StreamingResponse) -> Unit>({ token.cancel() }, { it.close() })) {
                val response =
                    client.streamBlocking(
                        get("/hang-body"),
                        token.takeIf { !it.isCancelled },
                    )
                val reading =
                    CompletableFuture.supplyAsync(
                        { response.body.inputStream().readBytes() },
                        { Thread(it).start() },
                    )
                end(response)
                val error = assertThrows<ExecutionException> { reading.get() }.cause
                assertInstanceOf<PinfoldException.Cancelled>(error)
                response.close()
            }
        }
        awaitNoCalls()
    }

    @Test
    suspend fun `files, streams and flows are sent with progress`() {
        val sent = letters(300_000)
        val file = File(folder, "upload").apply { writeBytes(sent) }
        val bodies =
            listOf<RequestBuilder.() -> Unit>(
                { body(file, "text/plain") },
                {
                    writtenBody(
                        length = sent.size.toLong(),
                    ) { to -> file.inputStream().copyTo(to) }
                },
                { writtenBody { to -> sent.forEach { to.write(it.toInt()) } } },
                { body(sent.toList().chunked(1_000) { it.toByteArray() }.asFlow()) },
            )
        Testkit.client().use { client ->
            for (body in bodies) {
                val told = mutableListOf<Progress>()
                val request =
                    Request(Method.POST, Testkit.url("/echo")) {
                        body()
                        onUpload { told += it }
                    }
                assertArrayEquals(sent, echoed(client.send(request)))
                assertEquals(sent.size.toLong(), told.last().done)
                assertArrayEquals(sent, echoed(client.sendBlocking(request)))
            }
        }
        awaitNoCalls()
    }

    @Test
    suspend fun `a form has files and what is written`() {
        val file = File(folder, "cat.jpg").apply { writeText("JPEG") }
        val request =
            Request(Method.POST, Testkit.url("/echo")) {
                multipart {
                    text("caption", "Käse")
                    written("one", length = 3) { it.write("abc".toByteArray()) }
                    file("photo", file, contentType = "image/jpeg")
                    written("two") { it.write("defg".toByteArray()) }
                    bytes("raw", byteArrayOf(65), fileName = "a\"b")
                }
            }
        val text =
            Testkit.client().use { echoed(it.send(request)).decodeToString() }
        for (part in listOf(
            "name=\"caption\"\r\n\r\nKäse\r\n",
            "name=\"one\"\r\n\r\nabc\r\n",
            "filename=\"cat.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nJPEG\r\n",
            "name=\"two\"\r\n\r\ndefg\r\n",
            "filename=\"a%22b\"\r\nContent-Type: application/octet-stream\r\n\r\nA\r\n",
        )) {
            assertTrue(text.contains(part), "$part is not in $text")
        }
        awaitNoCalls()
    }

    @Test
    suspend fun `what a writer throws is the cause, and the server sees no whole body`() {
        Testkit.client().use { client ->
            for (thrown in listOf(
                FileNotFoundException("secret"),
                IllegalStateException("secret"),
            )) {
                val request =
                    Request(Method.POST, Testkit.url("/?thrown")) {
                        writtenBody { to ->
                            to.write(ByteArray(200_000))
                            throw thrown
                        }
                    }
                val error = assertThrows<PinfoldException.IoFailed> { client.send(request) }
                assertEquals(thrown, error.cause)
                assertFalse(error.message.contains("secret"))
            }
            val missing = Request(Method.POST, Testkit.url("/")) { body(File("/no/such/file")) }
            val error = assertThrows<PinfoldException.IoFailed> { client.send(missing) }
            assertEquals("body", error.place)
        }
        awaitNoCalls()
    }

    @Test
    suspend fun `an early answer ends who writes, and cancelling does too`() =
        supervisorScope {
            Testkit.client().use { client ->
                val ended = CompletableFuture<Boolean>()
                val endless: RequestBuilder.() -> Unit = {
                    writtenBody { to ->
                        try {
                            while (true) to.write(ByteArray(10_000))
                        } finally {
                            ended.complete(true)
                        }
                    }
                }
                val early = client.send(Request(Method.POST, Testkit.url("/early-413"), endless))
                assertEquals(413, early.status)
                assertTrue(ended.get())

                val waiting = CompletableDeferred<Unit>()
                val interrupted = CompletableFuture<Boolean>()
                val silent =
                    Request(Method.POST, Testkit.url("/")) {
                        writtenBody {
                            waiting.complete(Unit)
                            try {
                                CompletableFuture<Unit>().get()
                            } catch (_: InterruptedException) {
                                interrupted.complete(true)
                            }
                        }
                    }
                val call = async(Dispatchers.Default) { client.send(silent) }
                waiting.await()
                call.cancel()
                assertThrows<CancellationException> { call.await() }
                assertTrue(interrupted.get())
            }
            awaitNoCalls()
        }

    @Test
    suspend fun `a file is downloaded whole, with progress and its digest`() {
        val to = File(folder, "map.bin")
        val expected = letters(300_000)
        val digest = MessageDigest.getInstance("SHA-256").digest(expected)
        val hex = digest.joinToString("") { "%02x".format(it) }
        Testkit.client().use { client ->
            val told = mutableListOf<Progress>()
            val response = client.download(get("/bytes/300000"), to, hex) { told += it }
            assertEquals(200, response.status)
            assertArrayEquals(expected, to.readBytes())
            assertEquals(Progress(300_000, 300_000), told.last())
            assertThrows<PinfoldException.DigestMismatch> {
                client.downloadBlocking(get("/bytes/9"), to, hex)
            }
            assertArrayEquals(expected, to.readBytes())
            assertEquals(404, client.download(get("/status/404"), to).status)
            assertThrows<PinfoldException.IoFailed> { client.download(get("/"), folder) }
            assertThrows<PinfoldException.InvalidRequest> { client.download(get("/"), to, "xyz") }
        }
        assertEquals(listOf("map.bin"), folder.list()?.toList())
        awaitNoCalls()
    }

    @Test
    suspend fun `a body may take longer than the client's timeout`() {
        Testkit.client { timeout = 300.milliseconds }.use { client ->
            val read =
                client.stream(get("/slow")) {
                    var size = 0
                    val buffer = ByteArray(1)
                    while (size < 6) size += it.body.read(buffer)
                    size
                }
            assertEquals(6, read)
        }
    }

    private fun get(path: String) = Request(Method.GET, Testkit.url(path))

    private fun echoed(response: Response): ByteArray {
        val received = Json.parseToJsonElement(response.text()).jsonObject.text("body_base64")
        return Base64.getDecoder().decode(received)
    }

    private fun letters(size: Int) = ByteArray(size) { ('a' + it % 26).code.toByte() }
}
