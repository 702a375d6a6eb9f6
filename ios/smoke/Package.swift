// swift-tools-version:6.0
import PackageDescription

// Tests of the package as apps get it, with the XCFramework in it; run by scripts/test-ios on a Mac
// and on a simulator, where the tests of ios/Package.swift cannot start their servers.

let package = Package(
    name: "Smoke",
    platforms: [.iOS(.v15), .macOS(.v12)],
    dependencies: [.package(path: "../../target/ios/release")],
    targets: [
        .testTarget(
            name: "SmokeTests", dependencies: [.product(name: "Pinfold", package: "release")])
    ],
    swiftLanguageModes: [.v6]
)
