// swift-tools-version:6.0
import Foundation
import PackageDescription

// For work on Pinfold and its tests: links the library that scripts/build made for this machine.
// What apps depend on is a manifest of its own, with an XCFramework in the place of PinfoldFFI.

let package = Package(
    name: "Pinfold",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [
        .library(name: "Pinfold", targets: ["Pinfold"]),
        .library(name: "PinfoldDebug", targets: ["PinfoldDebug"]),
    ],
    targets: [
        .target(
            name: "PinfoldFFI",
            linkerSettings: [
                .linkedLibrary("pinfold"),
                .unsafeFlags(["-L\(folder)", "-Xlinker", "-rpath", "-Xlinker", folder]),
            ]
        ),
        .target(name: "PinfoldBindings", dependencies: ["PinfoldFFI"]),
        .target(
            name: "Pinfold",
            dependencies: ["PinfoldBindings"],
            resources: [.copy("PrivacyInfo.xcprivacy")],
            swiftSettings: strict
        ),
        .target(name: "PinfoldDebug", dependencies: ["Pinfold"], swiftSettings: strict),
        .executableTarget(name: "PinfoldBench", dependencies: ["Pinfold"], swiftSettings: strict),
        .executableTarget(name: "PinfoldDemo", dependencies: ["Pinfold"], swiftSettings: strict),
        .testTarget(
            name: "PinfoldTests", dependencies: ["Pinfold", "PinfoldBindings", "PinfoldDebug"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

/// A warning in a source of our own is an error; those that UniFFI writes are not.
var strict: [SwiftSetting] { [.unsafeFlags(["-warnings-as-errors"])] }

/// Where libpinfold is.
var folder: String {
    Context.environment["PINFOLD_LIBRARY_DIR"] ?? "\(Context.packageDirectory)/../target/debug"
}

// The generated sources are symbolic links into cargo's target folder, never copies that could be
// stale. A dangling link would be reported as anything but what it is.
let generated = "\(Context.packageDirectory)/Sources/PinfoldBindings/PinfoldBindings.swift"
if !FileManager.default.fileExists(atPath: generated) {
    let message = "There are no generated sources: run scripts/build.\n"
    FileHandle.standardError.write(Data(message.utf8))
    exit(1)
}
