package dev.pinfold

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Test

class PrivacyTest {
    @Test
    fun `a printed request shows no secret`() {
        val request =
            Request(Method.POST, "https://user:s3cret@api.example.com/orders?s3cret#s3cret") {
                header("Accept", "s3cret")
                body("s3cret")
            }
        assertEquals(
            "Request(POST https://api.example.com/orders, headers=[Accept], bodyBytes=6)",
            request.toString(),
        )
        assertFalse(request.headers.toString().contains("s3cret"))
    }

    @Test
    fun `a printed response shows no secret`() {
        val response =
            Response(
                status = 200,
                url = "https://api.example.com/me?s3cret",
                headers = listOf(Header("set-cookie", "s3cret")),
                body = "s3cret".encodeToByteArray(),
                pinning = Pinning.NotPinned,
            )
        assertEquals(
            "Response(200 https://api.example.com/me, headers=[set-cookie], bodyBytes=6, " +
                "pinning=NotPinned)",
            response.toString(),
        )
    }

    @Test
    fun `what is hardly a URL shows no secret either`() {
        for (text in listOf(
            "user:s3cret@api.example.com/?next=https://b.example",
            "https://user:s3cret@",
            "https://a@s3cret@host\\x",
            "//user:s3cret@host/",
            "?s3cret",
            "#s3cret",
        )) {
            assertFalse(text.withoutSecrets().contains("s3cret"), text)
        }
        assertEquals(200, "https://${"x".repeat(1 shl 20)}".withoutSecrets().length)
        assertEquals("https://a.example/p@th", "https://a.example/p@th".withoutSecrets())
    }
}
