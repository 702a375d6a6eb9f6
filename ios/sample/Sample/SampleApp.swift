import Pinfold
import SwiftUI

/// Makes the app's one updater and its client.
@main
struct SampleApp: App {
    /// Of the job that updates the pin set; also in Info.plist.
    private static let job = "dev.pinfold.sample.pins"

    @Environment(\.scenePhase) private var phase
    private let model: Model

    init() {
        do {
            model = try Self.makeModel()
        } catch {
            // It is what the app was built with, so no start is any better than the first.
            fatalError("the app was built wrongly: \(error)")
        }
        model.updater.registerBackgroundRefresh(Self.job)
    }

    var body: some Scene {
        WindowGroup {
            ContentView(model: model)
        }
        .onChange(of: phase) {
            // Where the user allows no background jobs, the foreground has to do.
            if phase == .background { try? model.updater.scheduleBackgroundRefresh(Self.job) }
        }
    }

    private static func makeModel() throws -> Model {
        var updates = PinSetUpdater.Configuration()
        // Without a folder each start begins with the pin set in the app.
        updates.directory = try? PinSetUpdater.defaultDirectory()
        updates.managedConfiguration = PinSetUpdater.managedAppConfiguration
        var requests = PinnedClient.Configuration()
        #if DEBUG
            let address = String(decoding: try resource("serve.txt"), as: UTF8.self)
            updates.useServe(at: address, authority: try resource("authority.der"))
            requests.useServe(at: address)
        #endif
        return try Model(
            embedded: resource("pinfold.json"), updates: updates, requests: requests)
    }

    private static func resource(_ name: String) throws -> Data {
        try Data(contentsOf: Bundle.main.bundleURL.appendingPathComponent(name))
    }
}
