buildscript {
    repositories {
        google()
        mavenCentral()
    }
    dependencies {
        // The Android plugin brings Kotlin 2.2, to which kotlin.time.Instant is not stable yet.
        classpath("org.jetbrains.kotlin:kotlin-gradle-plugin:2.4.21")
    }
}

plugins {
    id("com.android.application") version "9.5.0" apply false
    id("com.android.test") version "9.5.0" apply false
}
