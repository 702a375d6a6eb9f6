import Foundation
internal import PinfoldBindings

/// Keeps a signed pin set up to date: a key that changes on the server needs no release of the app.
///
/// ```swift
/// var configuration = PinSetUpdater.Configuration()
/// configuration.directory = try PinSetUpdater.defaultDirectory()
/// let updater = try PinSetUpdater(embedded: embedded, configuration: configuration)
/// let client = try PinnedClient(updater: updater)
/// ```
///
/// It begins with the documents that ship with the app, or with the newest that it has stored and
/// verified again. Whatever a server sends is worth nothing until enough of the owner's keys have
/// signed it and it is no step back. The update channel does not depend on pins: it goes by trust
/// alone, over URLs that no document can take away.
///
/// Clients look for a newer pin set by themselves: in the background when it is time, and before
/// they give up on a mismatch. ``refreshIfDue()`` belongs where the app comes to the foreground,
/// and into a background job.
///
/// Make one updater, and share it. All members may be used from any task or thread, and none
/// blocks.
public final class PinSetUpdater: Sendable {
    let bindings: PinfoldBindings.PinSetUpdater

    /// An updater. It reads what is stored, but fetches nothing.
    ///
    /// - Parameters:
    ///   - embedded: The documents that ship with the app, as `pinfold embed` writes them.
    ///   - configuration: Where to store, whom to tell and the like.
    /// - Throws: ``PinfoldError/invalidPinSet(place:message:)`` where the embedded documents are no
    ///   good, so that the app was built wrongly; ``PinfoldError/invalidConfig(place:message:)``
    ///   names the setting, ``PinfoldError/invalidCertificate(place:message:)`` the root.
    public convenience init(
        embedded: Data,
        configuration: Configuration = Configuration()
    ) throws(PinfoldError) {
        try self.init(embedded: embedded, configuration: configuration, log: .system)
    }

    init(
        embedded: Data,
        configuration: Configuration,
        log: Log?
    ) throws(PinfoldError) {
        let settings = try configuration.settings(embedded: embedded)
        let onEvent = configuration.onEvent
        let listener = Listener { event in
            log?.write(Log.Line(event))
            onEvent?(event)
        }
        let managed = configuration.managedConfiguration.map(Managed.init)
        bindings = try PinfoldError.translating {
            // Where no trust is handed over, Rust asks the system itself.
            try .init(settings: settings, trust: nil, listener: listener, managed: managed)
        }
    }

    /// Looks for a newer pin set now. Of several callers at once one fetches, and all get its
    /// result; it takes 20 seconds a URL at worst.
    ///
    /// Cancelling the task ends the wait at once and not the fetch, which others may wait for: what
    /// it finds comes into force all the same. A task that is cancelled already fetches nothing.
    ///
    /// - Returns: Whether there was a newer one.
    /// - Throws: ``PinSetUpdateError``, and the pin set in force stays; or `CancellationError` if
    ///   the task is cancelled.
    @discardableResult
    public func refresh() async throws -> Refreshed {
        let bindings = bindings
        return Refreshed(try await Self.waiting { try await bindings.refresh() })
    }

    /// The same where it is time for it, by the interval that the pin set sets or by the pause after
    /// a failure. Also takes over what another process of the app has stored.
    ///
    /// - Returns: Whether there was a newer one; nothing where it was not time.
    /// - Throws: As ``refresh()``.
    @discardableResult
    public func refreshIfDue() async throws -> Refreshed? {
        let bindings = bindings
        return try await Self.waiting { try await bindings.refreshIfDue() }.map(Refreshed.init)
    }

    /// How the pin set stands.
    public var status: PinSetStatus { PinSetStatus(bindings.status()) }

    /// The pin set in force on this device.
    public var pins: PinSet { PinSet(bindings.pins()) }

    /// What `work` comes to; it goes on when the task that waits for it is cancelled.
    private static func waiting<T: Sendable>(
        for work: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        try Task.checkCancellation()
        let (results, result) = AsyncStream<Result<T, any Error>>.makeStream()
        Task {
            do {
                result.yield(.success(try await work()))
            } catch {
                result.yield(.failure(PinSetUpdateError(thrown: error)))
            }
        }
        // It ends early with this task, and never otherwise.
        for await result in results { return try result.get() }
        throw CancellationError()
    }
}

/// The app's closure, as Rust wants it.
private final class Listener: UpdateListener {
    private let onEvent: @Sendable (UpdateEvent) -> Void

    init(_ onEvent: @escaping @Sendable (UpdateEvent) -> Void) {
        self.onEvent = onEvent
    }

    func happened(event: PinfoldBindings.UpdateEvent) {
        onEvent(UpdateEvent(event))
    }
}

/// The app's closure, as Rust wants it.
private final class Managed: PinfoldBindings.ManagedConfiguration {
    private let read: @Sendable (String) -> String?

    init(_ read: @escaping @Sendable (String) -> String?) {
        self.read = read
    }

    func value(key: String) -> String? {
        read(key)
    }
}
