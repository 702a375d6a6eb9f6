import Foundation
internal import PinfoldBindings

extension PinSetUpdater {
    /// What an updater can be told.
    ///
    /// Values are checked by ``PinSetUpdater/init(embedded:configuration:)``.
    public struct Configuration: Sendable {
        /// Where the newest pin set outlives the process: a folder of the app's own that is
        /// excluded from backups, such as ``PinSetUpdater/defaultDirectory()``. Without one, each
        /// start begins with the embedded documents.
        ///
        /// What lies there is verified like a download. A folder that cannot be used costs the
        /// memory and nothing else: ``UpdateEvent/store(reason:)``. Updaters of different embedded
        /// documents need one each.
        public var directory: URL?
        /// The authorities of the update channel; the system's by default.
        public var roots = Roots.system
        /// Addresses to use for update URLs instead of looking names up; none by default.
        public var connectTo: [ConnectTo] = []
        /// Where the proxies of the update channel come from; the system's by default.
        public var proxies = Proxies.system()
        /// The text that the device's management sets for a key, if any; without it no connection
        /// may be inspected. ``PinSetUpdater/managedAppConfiguration(_:)`` reads what the system
        /// has.
        ///
        /// A connection whose certificate has no pin is allowed only if the signed pin set names
        /// the authority that inspects it, and the management sets that authority's `id`. Called
        /// during handshakes, on any thread; it must not block.
        public var managedConfiguration: (@Sendable (String) -> String?)?
        /// Is told of everything that happens to the pin set, on any thread; it must not block, nor
        /// hold the updater, which holds it.
        public var onEvent: (@Sendable (UpdateEvent) -> Void)?

        /// The defaults.
        public init() {}
    }
}

extension PinSetUpdater.Configuration {
    func settings(embedded: Data) throws(PinfoldError) -> UpdaterSettings {
        guard directory?.isFileURL != false else {
            let message = "setting directory: not a file URL"
            throw .invalidConfig(place: "directory", message: message)
        }
        let path = directory?.path
        let sizes = [
            embedded.count, roots.size, connectTo.size, proxies.size, path?.utf8.count ?? 0,
        ]
        guard Crossing.allows(sizes.reduce(0, +)) else {
            let message = "pin set, embedded: too large together with the settings"
            throw .invalidPinSet(place: "embedded", message: message)
        }
        return UpdaterSettings(
            embedded: embedded,
            directory: path,
            roots: roots.bindings,
            connectTo: connectTo.map(\.bindings),
            proxies: proxies.bindings
        )
    }
}
