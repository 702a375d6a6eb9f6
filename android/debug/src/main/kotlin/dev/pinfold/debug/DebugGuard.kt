package dev.pinfold.debug

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.content.pm.ApplicationInfo
import android.database.Cursor
import android.net.Uri

/**
 * Keeps an app with this library from starting where it is not debuggable, so that it is found out
 * before a release and not after it. It provides nothing.
 */
public class DebugGuard : ContentProvider() {
    /** @throws SecurityException where the app is not debuggable. */
    override fun onCreate(): Boolean {
        context?.let(::requireDebuggable)
        return true
    }

    /** Null. */
    override fun getType(uri: Uri): String? = null

    /** Null. */
    override fun query(
        uri: Uri,
        projection: Array<String>?,
        selection: String?,
        selectionArgs: Array<String>?,
        sortOrder: String?,
    ): Cursor? = null

    /** Null. */
    override fun insert(
        uri: Uri,
        values: ContentValues?,
    ): Uri? = null

    /** 0. */
    override fun update(
        uri: Uri,
        values: ContentValues?,
        selection: String?,
        selectionArgs: Array<String>?,
    ): Int = 0

    /** 0. */
    override fun delete(
        uri: Uri,
        selection: String?,
        selectionArgs: Array<String>?,
    ): Int = 0
}

internal fun requireDebuggable(context: Context) {
    // The application's own: a context may be that of another package.
    val app = (context.applicationContext ?: context).applicationInfo
    if (app.flags and ApplicationInfo.FLAG_DEBUGGABLE == 0) {
        throw SecurityException(
            "pinfold-debug is in an app that is not debuggable (${app.packageName}): " +
                "it belongs into debugImplementation",
        )
    }
}
