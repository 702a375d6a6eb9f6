import SwiftUI

/// Sends a request, and shows what became of it and how the pin set stands.
struct ContentView: View {
    @Bindable var model: Model
    @Environment(\.scenePhase) private var phase

    var body: some View {
        ScrollView {
            VStack(alignment: .leading, spacing: 16) {
                TextField("URL", text: $model.url)
                    .textFieldStyle(.roundedBorder)
                    .keyboardType(.URL)
                    .textInputAutocapitalization(.never)
                    .autocorrectionDisabled()
                    .accessibilityIdentifier("url")
                #if DEBUG
                    Toggle(
                        "Simulate interception: pins that fit no server",
                        isOn: $model.simulatesInterception
                    )
                    .accessibilityIdentifier("simulate")
                #endif
                Button("Send") { Task { await model.send() } }
                    .disabled(model.isSending)
                Text(model.status)
                    .textSelection(.enabled)
                    .accessibilityIdentifier("status")
                Button("Look for updates") { Task { await model.update() } }
                    .disabled(model.isUpdating)
                Text(model.verdict)
                    .textSelection(.enabled)
                    .accessibilityIdentifier("verdict")
            }
            .padding()
        }
        .buttonStyle(.bordered)
        .onChange(of: model.verdict) {
            AccessibilityNotification.Announcement(AttributedString(model.verdict)).post()
        }
        .onChange(of: phase, initial: true) {
            if phase == .active { Task { await model.updateIfDue() } }
        }
    }
}
