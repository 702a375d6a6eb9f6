package dev.pinfold.internal

import com.sun.jna.Callback
import com.sun.jna.CallbackThreadInitializer
import com.sun.jna.Native

/**
 * Loads the library, and checks that it is the one this code was generated from. Before anything
 * else: Rust's threads become daemons when they call Kotlin, so that one that hangs does not keep a
 * JVM from ending, and JNA takes no word of that once it has made the callback.
 */
public fun ensureInitialized() {
    initialized
}

/** Once; what fails is tried anew. */
private val initialized by lazy {
    // Here and not with the rest because the callbacks are internal to the generated code.
    daemon(uniffiCallbackInterfaceCallListener.event)
    daemon(uniffiCallbackInterfaceClientSigner.algorithms)
    daemon(uniffiCallbackInterfaceClientSigner.sign, "pinfold-signer")
    daemon(uniffiCallbackInterfaceManagedConfiguration.`value`, "pinfold-managed")
    daemon(uniffiCallbackInterfaceNameResolver.resolve, "pinfold-lookup")
    daemon(uniffiCallbackInterfacePlatformTrust.verify, "pinfold-trust")
    daemon(uniffiCallbackInterfaceProxySelector.select, "pinfold-proxies")
    daemon(uniffiCallbackInterfaceTokenSource.authorize, "pinfold-auth")
    daemon(uniffiCallbackInterfaceUpdateListener.happened, "pinfold-update")
    uniffiEnsureInitialized()
}

private fun daemon(
    callback: Callback,
    name: String? = null,
) = Native.setCallbackThreadInitializer(callback, CallbackThreadInitializer(true, true, name))
