import Foundation

extension PinSetUpdater {
    /// A folder for ``Configuration/directory``: in Application Support, by the app's identifier,
    /// created if it is not there. On Apple's systems it is excluded from backups, because to
    /// restore an old one would be a step back; on iOS its files can be read from the first unlock
    /// after a start, so also by background jobs.
    ///
    /// - Returns: The folder.
    /// - Throws: What `FileManager` says where the folder cannot be had.
    public static func defaultDirectory() throws -> URL {
        let support = try FileManager.default.url(
            for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil,
            create: true)
        let app = Bundle.main.bundleIdentifier ?? ProcessInfo.processInfo.processName
        return try directory(of: app, in: support)
    }

    /// Every write makes a new file, which takes over what the folder says: so it is the folder that
    /// is marked.
    static func directory(of app: String, in support: URL) throws -> URL {
        var folder = support.appendingPathComponent("\(app)/dev.pinfold", isDirectory: true)
        var attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o700]
        #if os(iOS)
            attributes[.protectionKey] = FileProtectionType.completeUntilFirstUserAuthentication
        #endif
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // It may be there from before, so the attributes come after.
        try FileManager.default.setAttributes(attributes, ofItemAtPath: folder.path)
        #if canImport(Darwin)
            var values = URLResourceValues()
            values.isExcludedFromBackup = true
            try folder.setResourceValues(values)
        #endif
        return folder
    }

    /// The text that the device's management sets for `key` in the managed app configuration, for
    /// ``Configuration/managedConfiguration``.
    ///
    /// ```swift
    /// configuration.managedConfiguration = PinSetUpdater.managedAppConfiguration
    /// ```
    ///
    /// - Parameter key: The key, such as `inspection_authority_id`.
    /// - Returns: The text; nothing on a device that is not managed, or for what is not a text.
    @Sendable
    public static func managedAppConfiguration(_ key: String) -> String? {
        managedAppConfiguration(key, in: .standard)
    }

    static func managedAppConfiguration(_ key: String, in defaults: UserDefaults) -> String? {
        // Where iOS puts the managed app configuration.
        defaults.dictionary(forKey: "com.apple.configuration.managed")?[key] as? String
    }
}
