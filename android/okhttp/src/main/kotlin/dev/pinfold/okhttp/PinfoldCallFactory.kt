package dev.pinfold.okhttp

import dev.pinfold.PinnedClient
import okhttp3.Call
import okhttp3.OkHttpClient
import okhttp3.Request

/**
 * A `Call.Factory` whose calls go through a [PinnedClient]: for Retrofit, Coil, Media3 and whatever else
 * takes one.
 *
 * ```
 * val retrofit = Retrofit.Builder().callFactory(PinfoldCallFactory(client)).baseUrl(url).build()
 * ```
 *
 * @param client Who sends; see [PinfoldInterceptor] for what that means.
 * @param okHttp Where the calls get their threads, their interceptors and their settings.
 */
public class PinfoldCallFactory
    @JvmOverloads
    constructor(
        client: PinnedClient,
        okHttp: OkHttpClient = OkHttpClient(),
    ) : Call.Factory {
        private val calls =
            okHttp.newBuilder().addInterceptor(PinfoldInterceptor(client)).build()

        /** A call that is not under way yet. */
        override fun newCall(request: Request): Call = calls.newCall(request)
    }
