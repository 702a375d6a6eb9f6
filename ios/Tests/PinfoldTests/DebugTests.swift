import Foundation
import Pinfold
import Testing

@testable import PinfoldDebug

/// What `PinfoldDebug` allows, and where it refuses to be.
struct DebugTests {
    let kit: Testkit
    let url = "https://api.example.test/"

    init() async throws {
        kit = try await Testkit()
    }

    func client(_ server: String, _ pins: PinSet) throws -> PinnedClient {
        try PinnedClient(pins: pins, configuration: kit.configuration(server))
    }

    @Test("the developer's authority is accepted for the hosts, and no other")
    func authority() async throws {
        let other = try kit.certificate("other_root")
        let pins = try PinSet.debugging(hosts: [Testkit.host], authorities: [other])
        let response = try await client("interceptor", pins).get(url)
        #expect(response.pinning == .off(rule: Testkit.host))
        // Not even the servers' own certificates.
        for server in ["backend", "private", "self_signed", "impostor", "expired"] {
            let error = try await failure { try await client(server, pins).get(url) }
            #expect(error.code.hasPrefix("certificate_"), "\(server)")
        }
        let elsewhere = try PinSet.debugging(hosts: ["other.example.test"], authorities: [other])
        let error = try await failure { try await client("interceptor", elsewhere).get(url) }
        #expect(error.code == "host_not_pinned")
        // What the app has else is as it was.
        let real = try await failure { try await kit.client("interceptor").get(url) }
        #expect(real.code == "pin_mismatch")
    }

    @Test("hosts are names, with what is below them, and addresses")
    func hosts() async throws {
        let authorities = [try kit.certificate("root")]
        let hosts = ["example.test", "10.0.2.2", "::1", "other.example."]
        let pins = try PinSet.debugging(hosts: hosts, authorities: authorities)
        #expect(pins.hosts == ["example.test", "10.0.2.2", "::1", "other.example"])
        #expect(try await client("backend", pins).get(url).status == 200)
    }

    @Test("an authority is a certificate in PEM or DER")
    func forms() async throws {
        let der = try kit.certificate("other_root")
        let lines = der.base64EncodedString(options: .lineLength64Characters)
        let pem = "text\n-----BEGIN CERTIFICATE-----\n\(lines)\n-----END CERTIFICATE-----\n"
        let hosts = [Testkit.host]
        let pins = try PinSet.debugging(hosts: hosts, authorities: [Data(pem.utf8)])
        #expect(try await client("interceptor", pins).get(url).status == 200)
        let wrong = [
            [], [Data()], [Data([1])], [Data("-----BEGIN CERTIFICATE-----".utf8)],
            [try kit.certificate("root"), Data("-----END CERTIFICATE-----".utf8)],
            Array(repeating: der, count: 17),
        ]
        for authorities in wrong {
            let error = try await failure {
                try PinSet.debugging(hosts: hosts, authorities: authorities)
            }
            #expect(error.place?.hasPrefix("hosts[0].anchors") == true)
        }
        #expect(throws: PinfoldError.self) {
            try PinSet.debugging(hosts: ["a b"], authorities: [der])
        }
    }

    @Test("on a device, the profile that it was signed with has to allow a debugger")
    func profiles() throws {
        func profile(_ entitlements: String) -> Data {
            let list = """
                <?xml version="1.0" encoding="UTF-8"?>
                <plist version="1.0"><dict><key>Name</key><string>get-task-allow</string>
                <key>Entitlements</key><dict>\(entitlements)</dict></dict></plist>
                """
            return Data([0x30, 0x82, 0xff, 0x00]) + Data(list.utf8) + Data([0xa0, 0x00, 0xfe])
        }
        func refuses(_ build: DebugBuild) throws -> Bool {
            do {
                let root = try kit.certificate("root")
                _ = try PinSet.debugging(hosts: ["a.example"], authorities: [root], in: build)
                return false
            } catch is NotDebuggable {
                return true
            }
        }
        let development = profile("<key>get-task-allow</key><true/>")
        #expect(try !refuses(DebugBuild(isUnsigned: false, profile: development)))
        #expect(try !refuses(DebugBuild(isUnsigned: true, profile: nil)))
        let others: [Data?] = [
            nil, Data(), profile(""), profile("<key>get-task-allow</key><false/>"),
            profile("<key>get-task-allow</key><string>true</string>"), Data("<?xml</plist>".utf8),
            Data("</plist><?xml".utf8), development.prefix(60),
        ]
        for other in others {
            #expect(try refuses(DebugBuild(isUnsigned: false, profile: other)))
        }
    }

    #if os(Linux)
        @Test("optimised code is not debuggable, whatever its settings say")
        func optimised() throws {
            let folder = Folder()
            try FileManager.default.createDirectory(
                at: folder.url, withIntermediateDirectories: true)
            try Data("print(DebugBuild.current.isDebuggable)\n".utf8)
                .write(to: URL(fileURLWithPath: folder.path("main.swift")))
            let source = URL(fileURLWithPath: #filePath)
                .appendingPathComponent("../../../Sources/PinfoldDebug/DebugBuild.swift")
                .standardizedFileURL.path
            for (level, isDebuggable) in [("-Onone", "true\n"), ("-O", "false\n")] {
                let app = folder.path("app")
                let built = try run([
                    "swiftc", "-DDEBUG", level, source, folder.path("main.swift"), "-o", app,
                ])
                #expect(built.status == 0, "\(built.output)")
                #expect(try run([app]).output == isDebuggable)
            }
        }

        @Test("what uses it does not compile for release", arguments: [true, false])
        func release(isDebug: Bool) throws {
            let folder = Folder()
            try FileManager.default.createDirectory(
                at: folder.url, withIntermediateDirectories: true)
            let app = folder.url.appendingPathComponent("App.swift")
            let use = "let pins = try PinSet.debugging(hosts: [], authorities: [])\n"
            try Data("import Pinfold\nimport PinfoldDebug\n\(use)".utf8).write(to: app)
            let package = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..")
                .standardizedFileURL
            let sources = package.appendingPathComponent("Sources/PinfoldDebug").path
            var modules = ["-swift-version", "6", "-I", folder.url.path]
            for path in [".build/debug/Modules", "Sources/PinfoldFFI/include"] {
                modules += ["-I", package.appendingPathComponent(path).path]
            }
            // SwiftPM, and Xcode for packages, define DEBUG for debug builds alone.
            var command = ["swiftc", "-emit-module", "-parse-as-library"] + modules
            command += isDebug ? ["-DDEBUG"] : ["-O"]
            command += ["-module-name", "PinfoldDebug", "-emit-module-path"]
            command += [folder.path("PinfoldDebug.swiftmodule")]
            command += ["\(sources)/DebugPinSet.swift", "\(sources)/DebugBuild.swift"]
            let compiled = try run(command)
            #expect(compiled.status == 0, "\(compiled.output)")
            let used = try run(["swiftc", "-typecheck"] + modules + [app.path])
            #expect((used.status == 0) == isDebug, "\(used.output)")
            #expect(used.output.contains("not for release builds") != isDebug)
        }
    #endif
}
