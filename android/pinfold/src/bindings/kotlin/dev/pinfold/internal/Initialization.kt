package dev.pinfold.internal

import com.sun.jna.CallbackThreadInitializer
import com.sun.jna.Native

/**
 * Loads the library, and checks that it is the one this code was generated from. Before anything
 * else: the threads that call [PlatformTrust] become daemons, so that one that hangs does not keep
 * a JVM from ending, and JNA takes no word of that once it has made the callback.
 */
public fun ensureInitialized() {
    val initializer = CallbackThreadInitializer(true, true, "pinfold-trust")
    // Here and not with the rest because the callback is internal to the generated code.
    Native.setCallbackThreadInitializer(uniffiCallbackInterfacePlatformTrust.verify, initializer)
    uniffiEnsureInitialized()
}
