import Foundation
import PinfoldBindings
import Testing

@testable import Pinfold

/// How a pin set stands, what time does to it, and that every word of the library is known here.
struct UpdateStatusTests {
    let kit: Testkit
    let url = "https://api.example.test/"

    init() async throws {
        kit = try await Testkit()
    }

    /// Times of a pin set in days from now.
    func times(_ issued: Int, _ expires: Int, grace: Int) -> Testkit.Edits {
        [
            "issued": Testkit.time(days: issued), "expires": Testkit.time(days: expires),
            "grace_days": grace,
        ]
    }

    func date(_ text: Any?) -> Date? {
        (text as? String).flatMap(ISO8601DateFormatter().date)
    }

    @Test("the status tells versions, times and when it is due")
    func status() async throws {
        let edits = times(-3, 40, grace: 60)
        let updater = try kit.updater(await kit.embedded(7, "backend", edits))
        let before = updater.status
        #expect(before.order.root == 1)
        #expect(before.order.epoch == 0)
        #expect(before.order.pinSet == 7)
        #expect(before.freshness == .fresh)
        #expect(before.issued == date(edits["issued"]))
        #expect(before.expires == date(edits["expires"]))
        #expect(before.checked == nil)
        #expect(before.nextDue == 0)
        #expect(before.lastError == nil)
        #expect(updater.pins.version == 7)
        #expect(updater.pins.hosts == [Testkit.host])

        try await kit.sign(8, "backend")
        let began = Date().timeIntervalSince1970.rounded(.down)
        #expect(try await updater.refreshIfDue() == .updated)
        let after = updater.status
        #expect(before.order < after.order)
        let checked = try #require(after.checked).timeIntervalSince1970
        #expect((began...Date().timeIntervalSince1970).contains(checked))
        // Three quarters of a day to all of it, so that a thousand devices do not come at once.
        #expect((64_000...86_400).contains(after.nextDue))
        #expect(try await updater.refreshIfDue() == nil)
    }

    @Test(
        "time makes a pin set stale, then lapsed, and tells each once",
        arguments: [(60, Pinfold.Freshness.stale), (1, .lapsed)])
    func freshness(grace: Int, expected: Pinfold.Freshness) async throws {
        let told = Told()
        let edits = times(-9, -4, grace: grace)
        let updater = try kit.updater(await kit.embedded(1, "backend", edits)) {
            $0.onEvent = told.add
        }
        #expect(updater.status.freshness == expected)
        try await kit.sign(1, "backend", edits)
        let client = try kit.client(of: updater)
        for _ in 0..<2 {
            #expect(try await updater.refresh() == .unchanged)
            let pinning = try await client.get(url).pinning
            #expect((pinning == .lapsed(rule: Testkit.host)) == (expected == .lapsed))
        }
        #expect(told.take() == [expected == .stale ? .stale : .lapsed(host: nil)])

        try await kit.sign(2, "backend")
        #expect(try await updater.refresh() == .updated)
        #expect(updater.status.freshness == .fresh)
        #expect(told.take() == [.updated(updater.status.order)])
    }

    @Test("an entry that lapses before the others is told by its host")
    func lapsedEntry() async throws {
        let told = Told()
        let pins = try ["backend", "backup"].map { ["sha256": try kit.pin($0).dropFirst(7)] }
        let entry: [String: Any] = [
            "host": Testkit.host, "pins": pins.map { $0.mapValues(String.init) },
            "expires": Testkit.time(days: -1),
        ]
        var edits = times(-9, 40, grace: 1)
        edits["hosts"] = [entry]
        let updater = try kit.updater(await kit.embedded(1, "backend", edits)) {
            $0.onEvent = told.add
        }
        try await kit.sign(1, "backend", edits)
        #expect(try await updater.refresh() == .unchanged)
        #expect(updater.status.freshness == .fresh)
        let client = try kit.client(of: updater)
        #expect(try await client.get(url).pinning == .lapsed(rule: Testkit.host))
        #expect(told.take() == [.lapsed(host: Testkit.host)])
    }

    @Test("orders go by root, then epoch, then pin set")
    func order() {
        let orders = [(1, 0, 9), (1, 1, 1), (1, 1, 2), (2, 0, 1)].map {
            Pinfold.PinSetOrder(root: $0.0, epoch: $0.1, pinSet: $0.2)
        }
        #expect(orders.shuffled().sorted() == orders)
    }

    func error(_ code: String) -> PinSetUpdateError {
        PinSetUpdateError(UpdateFailure(code: code, place: "place", message: "what happened"))
    }

    @Test("every code that Rust knows is a case here, and keeps its code and message")
    func everyCode() {
        let codes = updateCodes()
        #expect(codes == ["unavailable"] + PinSetUpdateError.Cause.allCases.map(\.rawValue))
        for code in codes + ["internal"] {
            let error = error(code)
            #expect(error.code == code)
            #expect(error.message == "what happened")
            #expect(error.errorDescription == "what happened")
            #expect("\(error)" == "\(code): what happened")
            let isRejection = PinSetUpdateError.Cause(rawValue: code) != nil
            #expect(error.place == (isRejection ? "place" : nil))
        }
    }

    @Test("what is of a later version, or no failure at all, is not taken for another one")
    func unknown() {
        struct Odd: Error {}
        #expect(
            error("from_the_future")
                == .internal(message: "unknown code from_the_future: what happened"))
        #expect(PinSetUpdateError(thrown: Odd()).code == "internal")
    }
}
