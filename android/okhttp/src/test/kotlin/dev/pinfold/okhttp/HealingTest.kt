package dev.pinfold.okhttp

import dev.pinfold.App
import dev.pinfold.ClientConfig
import dev.pinfold.PinfoldException
import dev.pinfold.PinnedClient
import dev.pinfold.Roots
import dev.pinfold.Testkit
import dev.pinfold.client
import dev.pinfold.text
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.EnumSource
import java.io.IOException
import java.net.InetAddress

/** A server whose key has changed, and an app whose pin set has not yet. */
class HealingTest {
    @AfterEach
    fun `the backend has its own key again`() = Testkit.present("backend", "backend")

    @ParameterizedTest
    @EnumSource(names = ["INTERCEPTOR", "TRUST_MANAGER"])
    fun `a rotated key heals within one call, and its body goes out once`(way: Way) {
        val path = "/echo?okhttp-$way"
        App(1, "backend").updated().use { updater ->
            App.publish(3, "rotated")
            Testkit.present("backend", "rotated")
            updater.client("backend") { reach() }.use { pinned ->
                assertEquals(200, post(http(way, pinned), path))
                assertEquals(3, updater.status().order.pinset)
                val requests = Testkit.events("backend", "request")
                assertEquals(1, requests.count { it.text("path") == path })
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = ["INTERCEPTOR", "TRUST_MANAGER"])
    fun `what no newer pin set accepts stays refused`(way: Way) {
        App(1, "backend").updated().use { updater ->
            Testkit.present("backend", "interceptor")
            updater.client("backend") { reach() }.use { pinned ->
                val error = assertThrows<IOException> { post(http(way, pinned), "/") }
                val type = PinfoldException.PinMismatch::class.java
                val refused = assertInstanceOf(type, error.pinfold)
                assertEquals("Interception Authority", refused.interception?.authority)
            }
        }
    }

    private fun ClientConfig.reach() {
        roots = Roots.Only(listOf("root", "other_root").map { Testkit.certificate(it) })
        connectTo(Testkit.HOST, Testkit.port("backend"), "127.0.0.1:${Testkit.port("backend")}")
    }

    private fun http(
        way: Way,
        pinned: PinnedClient,
    ): OkHttpClient {
        val builder = OkHttpClient.Builder().dns { listOf(InetAddress.getByName("127.0.0.1")) }
        return when (way) {
            Way.INTERCEPTOR -> builder.addInterceptor(PinfoldInterceptor(pinned))
            else -> builder.pinfold(pinned)
        }.build()
    }

    private fun post(
        http: OkHttpClient,
        path: String,
    ): Int {
        val url = "https://${Testkit.HOST}:${Testkit.port("backend")}$path"
        val request =
            Request
                .Builder()
                .url(url)
                .post("once".toRequestBody())
                .build()
        return http.newCall(request).execute().use { it.code }
    }
}
