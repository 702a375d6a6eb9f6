plugins {
    id("com.android.application")
}

val pins = rootDir.resolve("../../target/android/sample").normalize()
check(pins.resolve("assets/pinfold.json").exists()) { "no pin set: run android/sample/make-pins" }

android {
    namespace = "dev.pinfold.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "dev.pinfold.sample"
        minSdk = 24
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
        // JNA has libraries for more, Pinfold has not.
        ndk {
            abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64")
        }
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            // No rules of its own: Pinfold's have to do.
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
            // For the tests; a real app has a key of its own.
            signingConfig = signingConfigs.getByName("debug")
        }
    }

    buildFeatures {
        buildConfig = true
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    packaging {
        jniLibs {
            // Uncompressed and aligned to 16 KB in the APK.
            useLegacyPackaging = false
        }
    }

    sourceSets {
        getByName("main").assets.directories += pins.resolve("assets").path
        getByName("debug").assets.directories += pins.resolve("debug").path
    }
}

dependencies {
    implementation("dev.pinfold:pinfold-android:0.1.0")
    implementation("dev.pinfold:pinfold-work:0.1.0")
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.11.0")
}
