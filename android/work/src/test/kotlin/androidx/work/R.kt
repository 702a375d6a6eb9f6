@file:Suppress("ktlint:standard:class-naming", "ktlint:standard:property-naming")

package androidx.work

import android.content.res.Resources

/** What Android's build makes of WorkManager's resources; by Maven there is no such build. */
class R {
    object bool {
        /** Any of Android's own: both values will do. */
        @JvmField
        val workmanager_test_configuration: Int =
            Resources.getSystem().getIdentifier("config_showNavigationBar", "bool", "android")
    }
}
