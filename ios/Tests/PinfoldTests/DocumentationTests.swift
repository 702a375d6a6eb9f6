import Foundation
import Pinfold
import PinfoldDebug
import Testing

#if os(iOS)
    import BackgroundTasks
    import SwiftUI
#endif

/// The samples of the documentation, as code that compiles; what iOS alone has, is at least parsed
/// elsewhere.
struct DocumentationTests {
    func show(_ text: String) {}
    func report(_ text: String) {}

    func readme(json: String) async throws {
        let client = try PinnedClient(pins: PinSet(json: json))
        let response = try await client.get("https://api.example.com/v1/me")
        print(response.text)
    }

    func firstRequest(file: URL) async throws {
        let pins = try PinSet(json: Data(contentsOf: file))
        let client = try PinnedClient(pins: pins)
        let response = try await client.get("https://api.example.com/v1/status")
        print(response.text)
    }

    func pinsInCode() throws -> PinSet {
        let pins = try PinSet(hosts: [
            HostPolicy(
                host: "api.example.com",
                pins: [
                    Pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI=", at: .leaf),
                    Pin("sha256/P8TNKwpRMWUeT8m9bVAlTBDjCRKjLNw1RuO1pB4rDBE=", state: .backup),
                ]
            )
        ])
        return pins
    }

    func sendARequest(pins: PinSet) async throws {
        let client = try PinnedClient(pins: pins)
        let response = try await client.get("https://api.example.com/v1/status")
        print(response.status, response.text)
    }

    func sendABody(client: PinnedClient, key: String) async throws {
        var request = Request(.post, "https://api.example.com/v1/orders", timeout: 10)
        request.headers = [
            Header("Content-Type", "application/json"),
            Header("X-Api-Key", key, sensitive: true),
        ]
        request.body = Data(#"{"item":7}"#.utf8)
        let response = try await client.send(request)
        show(response.text)
    }

    func upload(client: PinnedClient, photo: URL) async throws {
        let request = Request(.post, "https://api.example.com/v1/photos")
        let form = RequestBody.multipart([
            .text("caption", "Our cat"),
            .file("photo", photo, contentType: "image/jpeg"),
        ])
        let response = try await client.send(request, body: form) { progress in
            print(progress.done, progress.total ?? 0)
        }
        show(response.text)
    }

    func write(client: PinnedClient, lines: AsyncStream<Data>) async throws {
        let request = Request(.post, "https://api.example.com/v1/log")
        let response = try await client.send(request, body: .stream(lines))
        show(response.text)
    }

    func download(client: PinnedClient, file: URL, digest: String) async throws {
        let request = Request(.get, "https://cdn.example.com/maps/berlin.bin")
        let response = try await client.download(request, to: file, sha256: digest) { progress in
            print(progress.done, progress.total ?? 0)
        }
        if response.status >= 400 { show("no map: \(response.status)") }
    }

    func pull(client: PinnedClient) async throws {
        let response = try await client.stream(Request(.get, "https://api.example.com/v1/log"))
        for try await piece in response.body {
            show("\(piece.count) bytes")
        }
    }

    func base(pins: PinSet, key: String) async throws {
        var configuration = PinnedClient.Configuration()
        configuration.baseURL = "https://api.example.com/v2/"
        configuration.defaultHeaders = [
            Header("Accept-Language", "de"), Header("X-Api-Key", key, sensitive: true),
        ]
        let client = try PinnedClient(pins: pins, configuration: configuration)
        show(try await client.get("me").text)
    }

    func json(client: PinnedClient) async throws {
        var request = Request(.post, "https://api.example.com/v2/orders")
        try request.json(["item": 7])
        let order = try await client.send(request).json([String: Int].self)
        show("\(order)")
    }

    func session(
        client: PinnedClient, configuration: inout PinnedClient.Configuration, file: URL,
        token: @escaping @Sendable (Bool) async throws -> String
    ) throws {
        configuration.baseURL = "https://api.example.com/v2/"
        configuration.authenticator = Authenticator { refused in
            "Bearer \(try await token(refused != nil))"
        }
        configuration.cookies = try CookieJar(file: file)
        configuration.retries = 2
        var account = PinnedClient.SessionConfiguration()
        account.cookies = CookieJar()
        let alice = try client.session(account)
        alice.close()
    }

    func errors(client: PinnedClient) async throws {
        do {
            let response = try await client.get("https://api.example.com/v1/status")
            show(response.text)
        } catch PinfoldError.pinMismatch(let facts, _) {
            report("intercepted by \(facts.issuer ?? "somebody")")
        } catch PinfoldError.untrusted(.notYetValid, _, _) {
            show("Is the date of this device right?")
        }
    }

    func interception(client: PinnedClient, translations: [String: String]) async throws {
        do {
            let response = try await client.get("https://api.example.com/v1/status")
            show(response.text)
        } catch let error as PinfoldError {
            if let report = error.interception {
                show(translations[report.kind.code] ?? report.message)
            }
        }
    }

    func explain(client: PinnedClient, chain: [Data], seen: Date) async throws {
        let told = try await client.explain(host: "api.example.com", chain: chain, at: seen)
        if !told.isAllowed {
            report(told.json)
        }
    }

    func blockedKey(policies: [HostPolicy]) throws -> PinSet {
        let pins = try PinSet(
            hosts: policies,
            blockedSPKI: ["sha256/KwccWaCgrnaw6tsrrSO61FgLacNgG2MMLq8GE6+oP5I="]
        )
        return pins
    }

    func reportOnly(response: Response) {
        if case .reportOnly(let mismatch) = response.pinning {
            report(mismatch.message)
        }
    }

    func cancel(client: PinnedClient) {
        let task = Task { try await client.get("https://api.example.com/v1/status") }
        task.cancel()
    }

    func updates(file: URL) throws -> PinnedClient {
        let report: @Sendable (String) -> Void = { _ in }
        var configuration = PinSetUpdater.Configuration()
        configuration.directory = try PinSetUpdater.defaultDirectory()
        configuration.onEvent = { event in report("\(event)") }
        let updater = try PinSetUpdater(
            embedded: Data(contentsOf: file), configuration: configuration)
        let client = try PinnedClient(updater: updater)
        return client
    }

    func refresh(updater: PinSetUpdater) async throws {
        do {
            let refreshed = try await updater.refresh()
            show(refreshed == .updated ? "new pins" : "nothing new")
        } catch let error as PinSetUpdateError {
            report("\(error.code) at \(error.place ?? "no place"): \(error.message)")
        }
    }

    func status(updater: PinSetUpdater) {
        let status = updater.status
        show("pin set \(status.order.pinSet) of \(status.issued), \(status.freshness)")
        show("last answer: \(status.checked.map { "\($0)" } ?? "none")")
        show("last error: \(status.lastError?.message ?? "none")")
    }

    func management(configuration: inout PinSetUpdater.Configuration) {
        configuration.managedConfiguration = PinSetUpdater.managedAppConfiguration
    }

    func gateway(client: PinnedClient) async throws {
        do {
            let response = try await client.get("https://api.example.com/v1/status")
            show(response.text)
        } catch let error as PinfoldError where error.interception?.kind == .inspectionProduct {
            show("\(error.interception?.product ?? "A gateway") reads what apps send.")
        }
    }

    func inspected(response: Response) {
        if case .inspected(_, let authority, _) = response.pinning {
            show("Your organisation reads this connection (\(authority)).")
        }
    }

    func privateAuthority(authority: URL) throws -> HostPolicy {
        let policy = HostPolicy(
            host: "intranet.example.com",
            pins: [
                Pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI=", at: .ca),
                Pin("sha256/P8TNKwpRMWUeT8m9bVAlTBDjCRKjLNw1RuO1pB4rDBE=", at: .ca, state: .backup),
            ],
            trust: .privateCa,
            anchors: [try Data(contentsOf: authority)]
        )
        return policy
    }

    func testServer(pins: PinSet, stagingAddress: String, testRoot: Data) throws -> PinnedClient {
        var configuration = PinnedClient.Configuration()
        configuration.connectTo = [ConnectTo(host: "api.example.com", address: stagingAddress)]
        configuration.roots = .only([testRoot])
        let client = try PinnedClient(pins: pins, configuration: configuration)
        return client
    }

    func debugging(pins: PinSet, file: URL) throws -> PinnedClient {
        #if DEBUG
            let client = try PinnedClient(
                pins: .debugging(hosts: pins.hosts, authorities: [Data(contentsOf: file)]))
        #else
            let client = try PinnedClient(pins: pins)
        #endif
        return client
    }

    func wrongPins() async throws {
        let wrong = try PinSet(hosts: [
            HostPolicy(
                host: "api.example.com",
                pins: [
                    Pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI="),
                    Pin("sha256/P8TNKwpRMWUeT8m9bVAlTBDjCRKjLNw1RuO1pB4rDBE="),
                ]
            )
        ])
        do {
            _ = try await PinnedClient(pins: wrong).get("https://api.example.com/v1/status")
            report("pins are ignored")
        } catch PinfoldError.pinMismatch {
            show("refused, as it should be")
        }
    }

    @Test("the pins of the samples are good")
    func samplePins() throws {
        #expect(try pinsInCode().hosts == ["api.example.com"])
        let policy = HostPolicy(host: "api.example.com", pins: PinSetInputTests.pins)
        #expect(try blockedKey(policies: [policy]).hosts == ["api.example.com"])
    }

    @Test(
        "every sample of the documentation is in this file",
        arguments: [
            "README", "docs/pin-sets", "ios/Sources/Pinfold/Pinfold.docc/CorporateNetworks",
            "ios/Sources/Pinfold/Pinfold.docc/FirstRequest",
            "ios/Sources/Pinfold/Pinfold.docc/FromTrustKit",
            "ios/Sources/Pinfold/Pinfold.docc/Interception",
            "ios/Sources/Pinfold/Pinfold.docc/Pinfold",
            "ios/Sources/Pinfold/Pinfold.docc/Sessions",
            "ios/Sources/Pinfold/Pinfold.docc/Simulators",
            "ios/Sources/Pinfold/Pinfold.docc/Updates",
            "ios/Sources/Pinfold/Pinfold.docc/URLSessions",
        ])
    func samples(document: String) throws {
        let here = URL(fileURLWithPath: #filePath)
        let code = lines(try String(contentsOf: here, encoding: .utf8))
        let repository = here.appendingPathComponent("../../../..").standardizedFileURL
        let file = repository.appendingPathComponent("\(document).md")
        let blocks = try String(contentsOf: file, encoding: .utf8)
            .components(separatedBy: "```swift\n").dropFirst()
            .compactMap { $0.components(separatedBy: "```").first }
        #expect(!blocks.isEmpty)
        for block in blocks {
            #expect(code.contains(lines(block)), "\(block)")
        }
    }

    /// The text without indentation, and with an end to its last line.
    private func lines(_ text: String) -> String {
        let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        return lines.joined(separator: "\n") + "\n"
    }
}

#if canImport(Security)
    extension DocumentationTests {
        func session(client: PinnedClient, url: URL) async {
            let pinning = URLSessionPinning(client: client)
            let session = URLSession(configuration: .default, delegate: pinning, delegateQueue: nil)
            do {
                let (data, _) = try await session.data(from: url)
                show(String(decoding: data, as: UTF8.self))
            } catch {
                report("\(pinning.cause(of: error))")
            }
        }
    }

    final class ExampleDelegate: NSObject, URLSessionTaskDelegate {
        let pinning: URLSessionPinning

        init(pinning: URLSessionPinning) {
            self.pinning = pinning
        }

        func urlSession(
            _ session: URLSession,
            didReceive challenge: URLAuthenticationChallenge,
            completionHandler: @escaping @Sendable (
                URLSession.AuthChallengeDisposition, URLCredential?
            ) -> Void
        ) {
            pinning.answer(challenge, completionHandler: completionHandler)
        }

        func urlSession(
            _ session: URLSession,
            task: URLSessionTask,
            willPerformHTTPRedirection response: HTTPURLResponse,
            newRequest request: URLRequest,
            completionHandler: @escaping @Sendable (URLRequest?) -> Void
        ) {
            if pinning.follows(response, to: request, task: task) {
                completionHandler(request)
            } else {
                task.cancel()
                completionHandler(nil)
            }
        }
    }
#endif

#if os(iOS)
    extension ExampleApp {
        static func makeUpdater() -> PinSetUpdater { fatalError("never run") }
        struct ContentView: View { var body: some View { EmptyView() } }
    }

    struct ExampleApp: App {
        static let job = "com.example.bank.pins"
        @Environment(\.scenePhase) private var phase
        private let updater: PinSetUpdater

        init() {
            updater = Self.makeUpdater()
            // Not later: the system takes no job once the app has launched.
            updater.registerBackgroundRefresh(Self.job)
        }

        var body: some Scene {
            WindowGroup { ContentView() }
                .onChange(of: phase) { phase in
                    switch phase {
                    case .active: Task { try await updater.refreshIfDue() }
                    case .background: try? updater.scheduleBackgroundRefresh(Self.job)
                    default: break
                    }
                }
        }
    }
#endif
