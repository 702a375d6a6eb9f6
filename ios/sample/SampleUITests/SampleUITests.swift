import XCTest

/// Uses the app as a person does, with a network. Nothing is replaced: not the app, whichever build it
/// is, nor the servers. Pins and keys are those of `make-pins`, and `serve` has to run.
@MainActor
final class SampleUITests: XCTestCase {
    /// The target's app; each object is the same.
    private var app: XCUIApplication { XCUIApplication() }

    func testAllowsAServerWhoseAuthorityIsPinned() {
        start()
        let verdict = send("https://www.google.com/generate_204")
        XCTAssert(verdict.contains("Allowed: HTTP 204"), verdict)
        XCTAssert(verdict.contains("pinned for google.com"), verdict)
    }

    func testRefusesAServerWhosePinsDoNotFitAndNamesItsIssuer() {
        start()
        let verdict = send("https://www.android.com/")
        XCTAssert(verdict.contains("Refused"), verdict)
        XCTAssert(verdict.contains("pin_mismatch"), verdict)
        XCTAssert(verdict.contains("Issued by"), verdict)
        XCTAssert(verdict.contains("Google Trust Services"), verdict)
    }

    func testRefusesAHostThatThePinSetDoesNotName() {
        start()
        let verdict = send("https://example.com/")
        XCTAssert(verdict.contains("host_not_pinned"), verdict)
    }

    #if DEBUG
        func testAllowsTheServerOnThisMac() {
            start()
            let verdict = send("https://api.pinfold.test/")
            XCTAssert(verdict.contains("Allowed: HTTP 200"), verdict)
            XCTAssert(verdict.contains("The server’s own key is pinned"), verdict)
        }

        func testRefusesTheServerOnThisMacWherePinsDoNotFit() {
            start()
            let verdict = send("https://other.pinfold.test/")
            XCTAssert(verdict.contains("pin_mismatch"), verdict)
            XCTAssert(verdict.contains("Issued by pins.pinfold.test"), verdict)
        }

        func testSimulatesInterception() {
            start()
            let toggle = app.switches["simulate"]
            XCTAssertEqual(toggle.value as? String, "0")
            // The middle is the label, which does nothing.
            toggle.coordinate(withNormalizedOffset: CGVector(dx: 0.92, dy: 0.5)).tap()
            XCTAssertEqual(toggle.value as? String, "1")
            // Pinned, as the first test shows.
            let verdict = send("https://www.google.com/generate_204")
            XCTAssert(verdict.contains("pin_mismatch"), verdict)
        }

        func testPutsAnUpdateIntoForceAndKeepsIt() {
            start()
            look()
            find("status", #"Pin set 2 \(root 1, epoch 0\), fresh.*"#)
            app.terminate()
            start()
            let status = find("status", #"Pin set 2 \(.*"#)
            // It is from the store: no server has been asked again.
            XCTAssertFalse(status.contains("Last event"), status)
        }
    #else
        func testHasNoSimulation() {
            start()
            XCTAssert(app.buttons["Send"].exists)
            XCTAssertFalse(app.switches["simulate"].exists)
        }

        func testDoesNotKnowTheServerOnThisMac() {
            start()
            let verdict = send("https://api.pinfold.test/")
            XCTAssert(verdict.contains("dns_failed"), verdict)
        }

        func testTellsOfAnUpdateThatCannotBeHad() {
            start()
            look()
            let status = find("status", ".*Last event: no update could be had.*")
            XCTAssert(status.contains("Pin set 1 ("), status)
            XCTAssert(status.contains("Last error: unavailable"), status)
            let verdict = send("https://www.google.com/generate_204")
            XCTAssert(verdict.contains("Allowed"), verdict)
        }
    #endif

    private func start() {
        continueAfterFailure = false
        app.launch()
        find("status", #"Pin set \d.*"#)
    }

    /// Types the URL, and waits for what becomes of it.
    private func send(_ url: String) -> String {
        let field = app.textFields["url"]
        // Its right end, so that what is there is to the left.
        field.coordinate(withNormalizedOffset: CGVector(dx: 0.95, dy: 0.5)).tap()
        let focus = NSPredicate(format: "identifier == 'url' AND hasKeyboardFocus == true")
        let focused = app.textFields.matching(focus).firstMatch
        XCTAssert(focused.waitForExistence(timeout: 60), "the field takes no text")
        let there = (field.value as? String)?.count ?? 0
        let delete = XCUIKeyboardKey.delete.rawValue
        field.typeText(String(repeating: delete, count: there) + url)
        XCTAssertEqual(field.value as? String, url)
        app.buttons["Send"].tap()
        return find("verdict", "(Allowed|Refused|Failed).*")
    }

    private func look() {
        let format = "label == 'Look for updates' AND isEnabled == true"
        let button = app.buttons.matching(NSPredicate(format: format)).firstMatch
        XCTAssert(button.waitForExistence(timeout: 60), "updates are looked for all the time")
        button.tap()
    }

    /// Waits for longer than the client's timeout until the text is like that.
    ///
    /// - Returns: The text.
    @discardableResult
    private func find(_ identifier: String, _ pattern: String) -> String {
        let texts = app.descendants(matching: .any)
        let matches = NSPredicate(
            format: "identifier == %@ AND label MATCHES %@", identifier, "(?s)" + pattern)
        let text = texts.matching(matches).firstMatch
        guard text.waitForExistence(timeout: 60) else {
            let others = texts.matching(identifier: identifier).allElementsBoundByIndex
            XCTFail("no \(pattern) in \(others.map(\.label))")
            return ""
        }
        return text.label
    }
}
