// swift-tools-version:6.0
import PackageDescription

// What the sample does and says, without its screen, for tests on any machine; after scripts/build.
// The app is Sample.xcodeproj.

let package = Package(
    name: "Sample",
    platforms: [.macOS(.v14)],
    dependencies: [.package(path: "..")],
    targets: [
        .target(
            name: "Sample",
            dependencies: [.product(name: "Pinfold", package: "ios")],
            path: "Sample",
            exclude: ["ContentView.swift", "SampleApp.swift"],
            swiftSettings: strict,
            // Swift 6.0's libswiftObservation lacks a function that it calls before it gives up:
            // https://github.com/swiftlang/swift/issues/75670
            linkerSettings: [
                .unsafeFlags(
                    ["-Xlinker", "--allow-shlib-undefined"], .when(platforms: [.linux]))
            ]
        ),
        .testTarget(
            name: "SampleTests", dependencies: ["Sample"], path: "SampleTests",
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

/// Warnings are errors.
var strict: [SwiftSetting] { [.unsafeFlags(["-warnings-as-errors"])] }
