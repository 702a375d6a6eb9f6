package dev.pinfold.okhttp

import okhttp3.Cookie
import okhttp3.CookieJar
import okhttp3.HttpUrl
import okhttp3.OkHttpClient
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.CopyOnWriteArrayList

class CookieContract(
    way: Way,
) : Contract(way) {
    private val jar = Jar()
    private val eating: OkHttpClient by lazy { client { cookieJar(jar) } }

    @Test
    fun `a cookie comes back with the next request`() {
        answer { addHeader("Set-Cookie", "a=b") }
        answer()
        repeat(2) { send(client = eating).close() }
        assertNull(received().headers["Cookie"])
        assertEquals("a=b", received().headers["Cookie"])
    }

    @Test
    fun `a redirect's cookie comes with what it leads to`() {
        answer(302) {
            setHeader("Location", "/there")
            addHeader("Set-Cookie", "hop=1")
        }
        answer { addHeader("Set-Cookie", "end=2") }
        send(client = eating).close()
        received()
        assertEquals("hop=1", received().headers["Cookie"])
        assertEquals(listOf("hop", "end"), jar.cookies.map { it.name })
    }

    @Test
    fun `several cookies are one field`() {
        answer {
            addHeader("Set-Cookie", "a=1")
            addHeader("Set-Cookie", "b=2; HttpOnly")
        }
        answer()
        repeat(2) { send(client = eating).close() }
        received()
        assertEquals(listOf("a=1; b=2"), received().headers.values("Cookie"))
    }

    @Test
    fun `another host gets none of them`() {
        answer {
            addHeader("Set-Cookie", "a=1")
        }
        redirect(302, url("/", Pki.OTHER).toString())
        answer()
        repeat(2) { send(client = eating).close() }
        repeat(2) { received() }
        assertNull(received().headers["Cookie"])
    }

    @Test
    fun `another path gets what is for all`() {
        answer {
            addHeader("Set-Cookie", "a=1; Path=/")
            addHeader("Set-Cookie", "b=2; Path=/one")
        }
        answer()
        send("/one/more", eating).close()
        send("/two", eating).close()
        received()
        assertEquals("a=1", received().headers["Cookie"])
    }

    @Test
    fun `a jar's cookies are in the place of the request's own`() {
        answer { addHeader("Set-Cookie", "jar=1") }
        answer()
        send(client = eating) { header("Cookie", "own=1") }.close()
        send(client = eating) { header("Cookie", "own=2") }.close()
        assertEquals("own=1", received().headers["Cookie"])
        assertEquals("jar=1", received().headers["Cookie"])
    }

    @Test
    fun `without a jar cookies are headers like others`() {
        answer { addHeader("Set-Cookie", "a=1") }
        answer()
        send { header("Cookie", "own=1") }.use { assertEquals("a=1", it.header("Set-Cookie")) }
        send().close()
        assertEquals("own=1", received().headers["Cookie"])
        assertNull(received().headers["Cookie"])
    }

    @Test
    fun `a jar is told what a cookie is for`() {
        answer { addHeader("Set-Cookie", "a=1; Secure; HttpOnly; Domain=a.test; Path=/x") }
        send("/x", eating).close()
        val cookie = jar.cookies.single()
        assertTrue(cookie.secure && cookie.httpOnly && !cookie.hostOnly)
        assertEquals("a.test" to "/x", cookie.domain to cookie.path)
    }

    @Test
    fun `a cookie that is none is nobody's`() {
        answer { addHeader("Set-Cookie", "=; Domain=b.test") }
        send(client = eating).close()
        assertEquals(emptyList<Cookie>(), jar.cookies)
    }

    private class Jar : CookieJar {
        val cookies = CopyOnWriteArrayList<Cookie>()

        override fun saveFromResponse(
            url: HttpUrl,
            cookies: List<Cookie>,
        ) {
            this.cookies += cookies
        }

        override fun loadForRequest(url: HttpUrl) = cookies.filter { it.matches(url) }
    }
}
