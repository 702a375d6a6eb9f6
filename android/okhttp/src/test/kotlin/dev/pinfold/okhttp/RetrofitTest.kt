package dev.pinfold.okhttp

import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import mockwebserver3.MockResponse
import mockwebserver3.MockWebServer
import mockwebserver3.SocketEffect
import okhttp3.Call
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.MultipartBody
import okhttp3.OkHttpClient
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.ResponseBody
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.assertThrows
import retrofit2.Callback
import retrofit2.HttpException
import retrofit2.Response
import retrofit2.Retrofit
import retrofit2.converter.kotlinx.serialization.asConverterFactory
import retrofit2.http.Body
import retrofit2.http.GET
import retrofit2.http.Multipart
import retrofit2.http.POST
import retrofit2.http.Part
import retrofit2.http.Path
import retrofit2.http.Query
import retrofit2.http.Streaming
import java.io.IOException
import java.net.InetAddress
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit

@Serializable
data class Order(
    val item: Int,
    val note: String? = null,
)

interface Shop {
    @GET("orders/{id}")
    suspend fun order(
        @Path("id") id: Int,
        @Query("lang") language: String,
    ): Order

    @POST("orders")
    suspend fun place(
        @Body order: Order,
    ): Response<Order>

    @Multipart
    @POST("photos")
    suspend fun photo(
        @Part photo: MultipartBody.Part,
    )

    @Streaming
    @GET("log")
    fun log(): retrofit2.Call<ResponseBody>
}

/** An app with Retrofit and kotlinx.serialization, switched over by one line. */
@Timeout(20)
class RetrofitTest {
    private val server = MockWebServer()
    private lateinit var pinned: PinnedClient
    private lateinit var shop: Shop

    @BeforeEach
    fun start() {
        server.useHttps(Pki.server(Pki.good).sslSocketFactory())
        server.start(InetAddress.getByName("127.0.0.1"), 0)
        pinned =
            PinnedClient(Pki.pins()) {
                roots = Roots.Only(listOf(Pki.root.certificate.encoded))
                connectTo(Pki.HOST, server.port, "127.0.0.1:${server.port}")
            }
        // Before: shop(OkHttpClient())
        shop = shop(PinfoldCallFactory(pinned))
    }

    @AfterEach
    fun stop() {
        pinned.close()
        server.close()
    }

    private fun shop(calls: Call.Factory): Shop =
        Retrofit
            .Builder()
            .baseUrl("https://${Pki.HOST}:${server.port}/v1/")
            .callFactory(calls)
            .addConverterFactory(Json.asConverterFactory("application/json".toMediaType()))
            .build()
            .create(Shop::class.java)

    @Test
    suspend fun `JSON comes and goes`() {
        server.enqueue(MockResponse(body = """{"item":7,"note":"\u00FC"}"""))
        assertEquals(Order(7, "\u00FC"), shop.order(1, "de"))
        assertEquals("/v1/orders/1?lang=de", server.takeRequest().target)

        server.enqueue(MockResponse(code = 201, body = """{"item":8}"""))
        val placed = shop.place(Order(8))
        assertEquals(201 to Order(8), placed.code() to placed.body())
        val sent = server.takeRequest()
        assertEquals("""{"item":8}""", sent.body?.utf8())
        assertTrue(checkNotNull(sent.headers["Content-Type"]).startsWith("application/json"))
    }

    @Test
    suspend fun `an error's status and body are Retrofit's`() {
        server.enqueue(MockResponse(code = 404, body = "no such order"))
        val error = assertThrows<HttpException> { shop.order(1, "de") }
        val body = error.response()?.errorBody()?.string()
        assertEquals(404 to "no such order", error.code() to body)
    }

    @Test
    suspend fun `a refused certificate is an IOException that says why`() {
        pinned.replacePins(Pki.pins(Pki.rotated))
        val error = assertThrows<IOException> { shop.order(1, "de") }
        assertInstanceOf(PinfoldException.PinMismatch::class.java, error.pinfold)
        assertEquals(0, server.requestCount)
    }

    @Test
    suspend fun `a form is sent`() {
        server.enqueue(MockResponse())
        shop.photo(MultipartBody.Part.createFormData("photo", "cat.jpg", "meow".toRequestBody()))
        assertTrue("filename=\"cat.jpg\"" in checkNotNull(server.takeRequest().body).utf8())
    }

    @Test
    fun `a stream is cancelled while it is read`() {
        server.enqueue(
            MockResponse
                .Builder()
                .body("x".repeat(100_000))
                .onResponseBody(SocketEffect.Stall)
                .build(),
        )
        val call = shop.log()
        val body = checkNotNull(call.execute().body())
        body.source().require(1)
        call.cancel()
        assertThrows<IOException> { body.source().readByteArray() }
        assertTrue(call.isCanceled)
        body.close()
    }

    @Test
    fun `a call on another thread that is cancelled fails there`() {
        server.enqueue(MockResponse.Builder().onResponseStart(SocketEffect.Stall).build())
        val failed = CompletableFuture<Throwable>()
        val call = shop.log()
        call.enqueue(
            object : Callback<ResponseBody> {
                override fun onResponse(
                    call: retrofit2.Call<ResponseBody>,
                    response: Response<ResponseBody>,
                ) {
                    failed.completeExceptionally(AssertionError("an answer"))
                }

                override fun onFailure(
                    call: retrofit2.Call<ResponseBody>,
                    t: Throwable,
                ) {
                    failed.complete(t)
                }
            },
        )
        server.takeRequest()
        call.cancel()
        assertInstanceOf(IOException::class.java, failed.get(10, TimeUnit.SECONDS))
    }

    @Test
    suspend fun `the other way is one line, too`() {
        val http =
            OkHttpClient
                .Builder()
                .dns { listOf(InetAddress.getByName("127.0.0.1")) }
                .pinfold(pinned)
                .build()
        server.enqueue(MockResponse(body = """{"item":7}"""))
        assertEquals(Order(7), shop(http).order(1, "de"))
    }
}
