pluginManagement {
    repositories {
        google()
        mavenCentral()
    }
}

dependencyResolutionManagement {
    repositoriesMode = RepositoriesMode.FAIL_ON_PROJECT_REPOS
    repositories {
        // What scripts/build-aar writes. Nothing under that name may come from elsewhere.
        exclusiveContent {
            forRepository {
                maven {
                    url = uri("../../target/android/repo")
                }
            }
            filter {
                includeGroup("dev.pinfold")
            }
        }
        google()
        mavenCentral()
    }
}

rootProject.name = "pinfold-sample"
include(":app", ":tests")
