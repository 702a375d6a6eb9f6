package dev.pinfold.okhttp

import dev.pinfold.PinfoldException
import dev.pinfold.PinfoldException.Timeout.Phase
import dev.pinfold.PinfoldException.Untrusted.Reason
import java.io.IOException
import java.io.InterruptedIOException
import java.net.ConnectException
import java.net.ProtocolException
import java.net.SocketTimeoutException
import java.net.UnknownHostException
import javax.net.ssl.SSLException
import javax.net.ssl.SSLHandshakeException
import javax.net.ssl.SSLPeerUnverifiedException

/** The exception that OkHttp's users catch for the same thing; this is its cause. */
internal fun PinfoldException.asOkHttpFails(): IOException =
    when (this) {
        is PinfoldException.Cancelled -> because(IOException("Canceled"))
        is PinfoldException.ConnectFailed -> because(ConnectException(message))
        is PinfoldException.ConnectionLost -> because(IOException(message))
        is PinfoldException.DnsFailed -> because(UnknownHostException(message))
        is PinfoldException.HostNotPinned -> because(SSLPeerUnverifiedException(message))
        is PinfoldException.InvalidResponse -> because(ProtocolException(message))
        is PinfoldException.IoFailed -> cause as? IOException ?: because(IOException(message))
        is PinfoldException.Offline -> because(ConnectException(message))
        is PinfoldException.Timeout -> because(timeout(phase))
        is PinfoldException.TlsFailed -> because(SSLException(message))
        is PinfoldException.Truncated -> because(ProtocolException(message))
        is PinfoldException.CertificateRefused -> because(refused())
        else -> this
    }

private fun <T : IOException> PinfoldException.because(exception: T): T {
    exception.initCause(this)
    return exception
}

private fun PinfoldException.timeout(phase: Phase) =
    when (phase) {
        // As its call timeout.
        Phase.QUEUE, Phase.TOTAL -> InterruptedIOException("timeout")

        else -> SocketTimeoutException(message)
    }

/** As its `CertificatePinner` and its host name verifier, or as its trust manager. */
private fun PinfoldException.CertificateRefused.refused() =
    when {
        this is PinfoldException.Untrusted && reason != Reason.WRONG_HOST -> {
            SSLHandshakeException(message)
        }

        else -> {
            SSLPeerUnverifiedException(message)
        }
    }

/** Runs [work], out of which only an [IOException] may come: another one would end an Android app. */
internal inline fun <T> onlyIo(work: () -> T): T =
    try {
        work()
    } catch (e: PinfoldException) {
        throw e.asOkHttpFails()
    } catch (
        @Suppress("TooGenericExceptionCaught") e: RuntimeException,
    ) {
        throw IOException("${e.javaClass.simpleName} within a call", e)
    }
