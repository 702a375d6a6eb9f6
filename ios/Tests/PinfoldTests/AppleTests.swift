import Foundation
import Testing

#if os(Linux)
    /// What only Apple's systems compile: its types, and that it is little.
    struct AppleTests {
        static let package = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..")
            .standardizedFileURL
        /// Lines of code that no test on Linux runs. Each one more has to be worth it.
        static let most = 185

        static func sources(_ target: String) throws -> [String] {
            let folder = package.appendingPathComponent("Sources/\(target)").path
            return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
                .filter { $0.hasSuffix(".swift") }.map { "\(folder)/\($0)" }
        }

        @Test("it has the right types, as far as the declarations in ios/sdk are Apple's")
        func types() throws {
            let modules = Folder()
            let folders = [".build/debug/Modules", "Sources/PinfoldFFI/include"]
                .flatMap { ["-I", Self.package.appendingPathComponent($0).path] }
            func compile(_ module: String, _ sources: [String], _ flags: [String] = []) throws {
                var command = [
                    "swiftc", "-emit-module", "-parse-as-library", "-swift-version", "6",
                ]
                command += ["-module-name", module, "-emit-module-path"]
                command += [modules.path("\(module).swiftmodule")]
                let result = try run(command + flags + sources)
                #expect(result.status == 0, "\(result.output)")
            }
            for name in ["BackgroundTasks", "CFNetwork", "Network", "Security", "SwiftUI", "os"] {
                try compile(
                    name, [Self.package.appendingPathComponent("sdk/swift/\(name).swift").path])
            }
            let strict = ["-warnings-as-errors", "-I", modules.url.path] + folders
            try compile("Pinfold", Self.sources("Pinfold"), strict)
            let samples = modules.path("Samples.swift")
            try Data(appleSamples().utf8).write(to: URL(fileURLWithPath: samples))
            try compile("Samples", [samples], strict)
            let tests = Self.package.appendingPathComponent("Tests/PinfoldTests").path
            try compile(
                "Tests", ["\(tests)/URLSessionTests.swift", "\(tests)/Support/Testkit.swift"],
                strict)
        }

        /// The samples of the documentation that only Apple's systems compile.
        private func appleSamples() throws -> String {
            let file = URL(fileURLWithPath: #filePath)
                .deletingLastPathComponent().appendingPathComponent("DocumentationTests.swift")
            let text = try String(contentsOf: file, encoding: .utf8)
            func branch(_ condition: String) throws -> String {
                let parts = text.components(separatedBy: "\n#if \(condition)\n")
                return try #require(parts.last).components(separatedBy: "\n#endif")[0]
            }
            return """
                import Foundation
                import Pinfold
                import Security
                import SwiftUI
                struct DocumentationTests {
                    func show(_ text: String) {}
                    func report(_ text: String) {}
                }
                \(try branch("canImport(Security)"))
                \(try branch("os(iOS)"))
                """
        }

        @Test("it is little")
        func lines() throws {
            var count: [String: Int] = [:]
            for file in try Self.sources("Pinfold") + Self.sources("PinfoldDebug") {
                let text = try String(contentsOfFile: file, encoding: .utf8)
                let lines = Self.untested(text)
                if lines > 0 { count[URL(fileURLWithPath: file).lastPathComponent] = lines }
            }
            let all = count.values.reduce(0, +)
            #expect(all <= Self.most, "\(all): \(count.sorted { $0.key < $1.key })")
        }

        /// The lines with code in branches that Linux does not compile.
        static func untested(_ text: String) -> Int {
            var count = 0
            var branches: [Bool] = []
            for line in text.split(separator: "\n") {
                let line = line.trimmingCharacters(in: .whitespaces)
                if line.hasPrefix("#if") {
                    let apple = [
                        "os(iOS)", "(simulator)", "(Darwin)", "BackgroundTasks", "(Network)",
                    ]
                    let isApple = (apple + ["(os)", "(Security)", "(CFNetwork)"]).contains {
                        line.contains($0)
                    }
                    branches.append(isApple)
                } else if line.hasPrefix("#else") {
                    _ = branches.popLast()
                    branches.append(false)
                } else if line.hasPrefix("#endif") {
                    _ = branches.popLast()
                } else if branches.contains(true), line.contains(where: \.isLetter),
                    !line.hasPrefix("//")
                {
                    count += 1
                }
            }
            return count
        }
    }
#endif
