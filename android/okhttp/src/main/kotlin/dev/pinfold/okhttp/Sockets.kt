package dev.pinfold.okhttp

import dev.pinfold.PinfoldException
import dev.pinfold.PinnedTls
import okhttp3.Interceptor
import okhttp3.Response
import java.security.cert.X509Certificate
import javax.net.ssl.SSLSocket

/**
 * Gives each call the sockets of the pin set in force. Only the factory is part of what OkHttp compares
 * before it uses a connection again, and TLS sessions belong to it: so those of older ones are left.
 */
internal class CurrentSockets(
    private val tls: PinnedTls,
) : Interceptor {
    override fun intercept(chain: Interceptor.Chain): Response {
        val sockets = tls.socketFactory
        val current =
            when (chain.sslSocketFactoryOrNull) {
                // A copy of the chain makes an index of the authorities.
                sockets -> chain

                else -> chain.withSslSocketFactory(sockets, tls.trustManager)
            }
        return current.proceed(chain.request())
    }
}

/**
 * Judges the connection of each hop for the host of that hop: one that was made for another name of its
 * certificate (RFC 9113 §9.1.1), and one that a redirect leads to after the pin set has changed.
 */
internal class CurrentDecision(
    private val tls: PinnedTls,
) : Interceptor {
    override fun intercept(chain: Interceptor.Chain): Response {
        val request = chain.request()
        val socket = chain.connection()?.socket()
        if (socket is SSLSocket) {
            val presented = socket.session.peerCertificates.filterIsInstance<X509Certificate>()
            try {
                tls.check(request.url.host, presented)
            } catch (e: PinfoldException) {
                throw e.asOkHttpFails()
            }
        }
        return chain.proceed(request)
    }
}
