package dev.pinfold

import org.robolectric.RuntimeEnvironment
import java.io.File
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream

/** Adds assets to the app's, as a package of its own. */
@Suppress("DEPRECATION")
fun installAssets(assets: Map<String, ByteArray>) {
    val apk = File.createTempFile("assets", ".apk")
    ZipOutputStream(apk.outputStream()).use { zip ->
        for ((name, content) in assets) {
            zip.putNextEntry(ZipEntry("assets/$name"))
            zip.write(content)
        }
    }
    check(RuntimeEnvironment.getApplication().assets.addAssetPath(apk.path) != 0)
}
