// As short as it can be written, so that nothing is won by how it is set.
@file:Suppress("ktlint:standard:chain-method-continuation")

package dev.pinfold

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import okhttp3.CertificatePinner
import okhttp3.Dns
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.MultipartBody
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.asRequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.java.net.cookiejar.JavaNetCookieJar
import okio.buffer
import okio.sink
import java.io.File
import java.io.IOException
import java.io.InterruptedIOException
import java.net.ConnectException
import java.net.CookieManager
import java.net.InetAddress
import java.net.UnknownHostException
import java.security.KeyStore
import java.security.cert.CertificateFactory
import java.time.Duration
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLException
import javax.net.ssl.SSLPeerUnverifiedException
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager

internal fun okHttp(
    root: ByteArray,
    pin: String,
): OkHttpClient {
    val certificate =
        CertificateFactory.getInstance(
            "X.509",
        ).generateCertificate(root.inputStream())
    val store = KeyStore.getInstance(KeyStore.getDefaultType()).apply { load(null) }
    store.setCertificateEntry("root", certificate)
    val trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm())
    trust.init(store)
    val tls = SSLContext.getInstance("TLS").apply { init(null, trust.trustManagers, null) }
    val names =
        Dns { host ->
            if (host != Testkit.HOST) throw UnknownHostException(host)
            listOf(InetAddress.getByName("127.0.0.1"))
        }
    return OkHttpClient.Builder()
        .sslSocketFactory(tls.socketFactory, trust.trustManagers.single() as X509TrustManager)
        .certificatePinner(CertificatePinner.Builder().add(Testkit.HOST, pin).build())
        .dns(names)
        .readTimeout(Duration.ofSeconds(2))
        .build()
}

internal class OkHttpWay(
    private val http: OkHttpClient,
) : Newcomer {
    // row: GET JSON
    override suspend fun get(url: String): JsonObject {
        val request = Request.Builder().url(url).build()
        http.newCall(request).execute().use { return Json.decodeFromString(it.body.string()) }
    }

    // row: POST JSON
    override suspend fun post(
        url: String,
        order: Map<String, Int>,
    ): Int {
        val json = Json.encodeToString(order).toRequestBody("application/json".toMediaType())
        val request = Request.Builder().url(url).post(json).build()
        http.newCall(request).execute().use { return it.code }
    }

    // row: 50 MB to a file, with progress
    override suspend fun download(
        url: String,
        to: File,
        onProgress: (Long) -> Unit,
    ) {
        val request = Request.Builder().url(url).build()
        http.newCall(request).execute().use { response ->
            to.sink().buffer().use { sink ->
                var done = 0L
                while (true) {
                    val n = response.body.source().read(sink.buffer, 64 * 1024)
                    if (n < 0) break
                    sink.emitCompleteSegments()
                    done += n
                    onProgress(done)
                }
            }
        }
    }

    // row: 50 MB from a file, in a form
    override suspend fun upload(
        url: String,
        film: File,
    ): Int {
        val form = MultipartBody.Builder().setType(MultipartBody.FORM)
        form.addFormDataPart("title", "A film")
        form.addFormDataPart("film", "film.mp4", film.asRequestBody("video/mp4".toMediaType()))
        val request = Request.Builder().url(url).post(form.build()).build()
        http.newCall(request).execute().use { return it.code }
    }

    // row: a header of every request, and a token that is refreshed
    override suspend fun signedIn(
        url: String,
        tokens: TokenStore,
    ): JsonObject {
        val own = http.newBuilder()
        own.addInterceptor {
            val request = it.request().newBuilder().header("Accept-Language", "de")
            if (it.request().header("Authorization") == null) {
                request.header("Authorization", tokens.current())
            }
            it.proceed(request.build())
        }
        own.authenticator { _, response ->
            if (response.priorResponse != null) return@authenticator null
            response.request.newBuilder().header("Authorization", tokens.refreshed()).build()
        }
        val request = Request.Builder().url(url).build()
        own.build().newCall(request).execute().use {
            return Json.decodeFromString(it.body.string())
        }
    }

    // row: cookies, in memory
    override suspend fun cookies(
        first: String,
        then: String,
    ): String {
        val own = http.newBuilder().cookieJar(JavaNetCookieJar(CookieManager())).build()
        own.newCall(Request.Builder().url(first).build()).execute().close()
        own.newCall(Request.Builder().url(then).build()).execute().use { return it.body.string() }
    }

    // row: every class of error
    override suspend fun failure(url: String): String =
        try {
            val request = Request.Builder().url(url).build()
            http.newCall(request).execute().use { "status ${it.code}" }
        } catch (_: SSLPeerUnverifiedException) {
            "another key"
        } catch (_: SSLException) {
            "not trusted"
        } catch (_: InterruptedIOException) {
            "too slow"
        } catch (_: UnknownHostException) {
            "no such name"
        } catch (_: ConnectException) {
            "nobody there"
        } catch (_: IOException) {
            "broken off"
        }
}
