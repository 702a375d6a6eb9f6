package dev.pinfold

import java.net.Socket
import java.security.cert.CertificateException
import java.security.cert.X509Certificate
import javax.net.ssl.SSLEngine
import javax.net.ssl.SSLSession
import javax.net.ssl.SSLSocket
import javax.net.ssl.X509ExtendedTrustManager

/**
 * [PinnedTls.trustManager]. The JVM and Android since 7.0 ask the methods with a socket or an engine;
 * Android's `X509TrustManagerExtensions` asks the one with a host, by reflection.
 */
internal class PinnedTrustManager(
    private val tls: PinnedTls,
) : X509ExtendedTrustManager() {
    override fun checkServerTrusted(
        chain: Array<X509Certificate>,
        authType: String,
        socket: Socket,
    ) = judge(chain, (socket as? SSLSocket)?.handshakeSession)

    override fun checkServerTrusted(
        chain: Array<X509Certificate>,
        authType: String,
        engine: SSLEngine,
    ) = judge(chain, engine.handshakeSession)

    /** Android's, for code that asks for the path; the client's own is not known here. */
    @Suppress("unused", "UNUSED_PARAMETER")
    fun checkServerTrusted(
        chain: Array<X509Certificate>,
        authType: String,
        host: String,
    ): List<X509Certificate> {
        judge(chain, host)
        return chain.toList()
    }

    override fun checkServerTrusted(
        chain: Array<X509Certificate>,
        authType: String,
    ): Unit = throw CertificateException("pinfold: whose certificate it should be is not known")

    override fun checkClientTrusted(
        chain: Array<X509Certificate>,
        authType: String,
        socket: Socket,
    ) = refuseClient()

    override fun checkClientTrusted(
        chain: Array<X509Certificate>,
        authType: String,
        engine: SSLEngine,
    ) = refuseClient()

    override fun checkClientTrusted(
        chain: Array<X509Certificate>,
        authType: String,
    ) = refuseClient()

    override fun getAcceptedIssuers(): Array<X509Certificate> = tls.acceptedIssuers.toTypedArray()

    private fun judge(
        chain: Array<X509Certificate>,
        session: SSLSession?,
    ) = judge(chain, session?.peerHost)

    private fun judge(
        chain: Array<X509Certificate>,
        host: String?,
    ) {
        if (host == null) {
            throw CertificateException("pinfold: whose certificate it should be is not known")
        }
        try {
            tls.check(host, chain.toList())
        } catch (e: PinfoldException) {
            throw e.inHandshake()
        } catch (
            // Whatever it is: it must not pass for an answer.
            @Suppress("TooGenericExceptionCaught") e: RuntimeException,
        ) {
            throw CertificateException("pinfold: ${e.javaClass.simpleName}", e)
        }
    }

    private fun refuseClient(): Nothing =
        throw CertificateException("pinfold: it judges no certificates of clients")
}
