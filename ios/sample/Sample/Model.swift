import Foundation
import Observation
import Pinfold

/// Has the app's one updater and its client, and what the screen shows of them.
@MainActor
@Observable
final class Model {
    var url = "https://www.google.com/generate_204"
    var simulatesInterception = false
    private(set) var status = ""
    private(set) var verdict = ""
    private(set) var isSending = false
    private(set) var isUpdating = false

    let updater: PinSetUpdater
    private let client: PinnedClient
    private let requests: PinnedClient.Configuration
    private var lastEvent: UpdateEvent?
    private let told: AsyncStream<UpdateEvent>.Continuation

    /// - Parameters:
    ///   - embedded: What `pinfold embed` has written.
    ///   - updates: How to update it.
    ///   - requests: How to send requests.
    /// - Throws: What tells that the app was built wrongly.
    init(
        embedded: Data,
        updates: PinSetUpdater.Configuration,
        requests: PinnedClient.Configuration
    ) throws(PinfoldError) {
        let (events, told) = AsyncStream.makeStream(
            of: UpdateEvent.self, bufferingPolicy: .bufferingNewest(1))
        self.told = told
        var updates = updates
        updates.onEvent = { told.yield($0) }
        updater = try PinSetUpdater(embedded: embedded, configuration: updates)
        client = try PinnedClient(updater: updater, configuration: requests)
        self.requests = requests
        showStatus()
        // Until the other end is finished below.
        Task { [weak self] in
            for await event in events {
                self?.lastEvent = event
                self?.showStatus()
            }
        }
    }

    deinit {
        told.finish()
    }

    /// Sends a request to ``url``, and shows what became of it.
    func send() async {
        isSending = true
        verdict = "Sending…"
        do {
            verdict = describe(try await get())
        } catch let error as PinfoldError {
            verdict = describe(error)
        } catch {
            // Cancelled.
            verdict = ""
        }
        isSending = false
        showStatus()
    }

    /// Looks for updates now.
    func update() async {
        await update { try await $0.refresh() }
    }

    /// Looks for updates where it is time for it: whenever the app comes to the foreground.
    func updateIfDue() async {
        await update { _ = try await $0.refreshIfDue() }
    }

    private func update(_ refresh: (PinSetUpdater) async throws -> Void) async {
        isUpdating = true
        // An error is in the status.
        try? await refresh(updater)
        isUpdating = false
        showStatus()
    }

    private func showStatus() {
        status = describe(updater.status, lastEvent)
    }

    private func get() async throws -> Response {
        #if DEBUG
            if simulatesInterception { return try await getWithMisfit() }
        #endif
        return try await client.get(url)
    }

    #if DEBUG
        /// What an interceptor with a certificate that the device trusts would meet: a real
        /// connection, and a pin set that does not fit it.
        private func getWithMisfit() async throws -> Response {
            // Hashes of no key.
            let pins = [
                Pin("sha256/p5N7ZLjKpY8Dchu2us9ceMsjX+vg5wsbhM2ZVBRhoI4="),
                Pin("sha256/FjZ6rLZ6SgF8jairlWgsyzkIY3gPcRTdoKDgxVZEx8Q="),
            ]
            let host = URLComponents(string: url)?.host ?? ""
            let misfit = try PinSet(hosts: [HostPolicy(host: host, pins: pins)])
            return try await PinnedClient(pins: misfit, configuration: requests).get(url)
        }
    #endif
}
