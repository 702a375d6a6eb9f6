import Foundation
import Testing

@testable import Pinfold

/// The folder in which a pin set outlives the process.
struct DeviceStorageTests {
    func permissions(_ folder: URL) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue
    }

    @Test("the folder is the app's, is made with what is above it, and is nobody else's")
    func created() throws {
        let support = Folder()
        let folder = try PinSetUpdater.directory(of: "com.example.app", in: support.url)
        #expect(folder.path == support.url.path + "/com.example.app/dev.pinfold")
        #expect(try permissions(folder) == 0o700)
    }

    @Test("a folder that is there already stays as it is, but for what it has to say")
    func again() throws {
        let support = Folder()
        let folder = try PinSetUpdater.directory(of: "app", in: support.url)
        let file = folder.appendingPathComponent("pinset")
        try Data("stored".utf8).write(to: file)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: folder.path)
        #expect(try PinSetUpdater.directory(of: "app", in: support.url) == folder)
        #expect(try permissions(folder) == 0o700)
        #expect(try Data(contentsOf: file) == Data("stored".utf8))
    }

    @Test("a file in its place is an error")
    func occupied() throws {
        let support = Folder()
        try Data().write(to: support.url)
        #expect(throws: CocoaError.self) {
            try PinSetUpdater.directory(of: "app", in: support.url)
        }
    }

    @Test("the default is in Application Support, and an updater stores there")
    func standard() async throws {
        let folder = try PinSetUpdater.defaultDirectory()
        defer { try? FileManager.default.removeItem(at: folder) }
        let support = try FileManager.default.url(
            for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil,
            create: false)
        #expect(folder.path.hasPrefix(support.path))
        let kit = try await Testkit()
        let updater = try kit.updater(await kit.embedded(1, "backend")) { $0.directory = folder }
        try await kit.sign(2, "rotated")
        #expect(try await updater.refresh() == .updated)
        let file = folder.appendingPathComponent("pinset")
        #expect(FileManager.default.fileExists(atPath: file.path))
    }
}
