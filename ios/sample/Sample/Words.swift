import Foundation
import Pinfold

// What is shown of a request is its verdict, never what was sent or received.

func describe(_ response: Response) -> String {
    "Allowed: HTTP \(response.status)\n" + describe(response.pinning)
}

func describe(_ error: PinfoldError) -> String {
    var lines = [
        error.certificate == nil ? "Failed" : "Refused, before anything of the request was sent"
    ]
    let report = error.interception
    if let report { lines.append(report.message) }
    lines.append("\(error.code): \(error.message)")
    if let issuer = error.certificate?.issuer { lines.append("Issued by \(issuer)") }
    if let report {
        lines.append("Probably \(report.kind.code) (\(report.confidence.code)):")
        lines += report.evidence.map { "• \($0.text)" }
    }
    return lines.joined(separator: "\n")
}

func describe(_ status: PinSetStatus, _ event: UpdateEvent?) -> String {
    let order = status.order
    var lines = [
        "Pin set \(order.pinSet) (root \(order.root), epoch \(order.epoch)), "
            + word(status.freshness),
        "Issued \(text(status.issued)), expires \(text(status.expires))",
        "Checked \(status.checked.map(text) ?? "never"), next in \(text(status.nextDue))",
    ]
    if let error = status.lastError { lines.append("Last error: \(describe(error))") }
    if let event { lines.append("Last event: \(describe(event))") }
    return lines.joined(separator: "\n")
}

private func describe(_ pinning: Pinning) -> String {
    switch pinning {
    case .matched(let rule, let pin, .leaf, _):
        "The server’s own key is pinned for \(rule): \(pin)"
    case .matched(let rule, let pin, _, _):
        "The key of an authority above the server is pinned for \(rule): \(pin)"
    case .reportOnly(let mismatch):
        "No pin matched, and the pin set only reports: \(mismatch.message)"
    case .inspected(let rule, let authority, _):
        inspected(by: authority, rule)
    case .off(let rule):
        "Pinning is switched off for \(rule)."
    case .lapsed(let rule):
        "The pins for \(rule) have lapsed: the system alone trusts the server."
    case .notPinned:
        "The pin set does not name this host: the system alone trusts the server."
    }
}

private func describe(_ event: UpdateEvent) -> String {
    switch event {
    case .updated(let order): "pin set \(order.pinSet) is in force"
    case .rejected(let error, _): "a document was refused: \(describe(error))"
    case .equivocation(let url): "\(url) has other contents under the version in force"
    case .staleMirror(let url): "\(url) has nothing but an older document"
    case .unavailable(let reason): "no update could be had: \(reason)"
    case .store(let reason): "the store failed: \(reason)"
    case .stale: word(.stale)
    case .lapsed(let host): "\(host ?? "the pin set") has lapsed"
    case .inspected(let host, let authority): inspected(by: authority, host)
    }
}

private func describe(_ error: PinSetUpdateError) -> String { "\(error.code): \(error.message)" }

private func inspected(by authority: String, _ host: String) -> String {
    "\(authority) inspects connections to \(host). "
        + "The owner of the pins and the management of this device allow it."
}

private func word(_ freshness: Freshness) -> String {
    switch freshness {
    case .fresh: "fresh"
    case .stale: "stale"
    case .lapsed: "lapsed"
    }
}

private func text(_ date: Date) -> String { ISO8601DateFormatter().string(from: date) }

/// Hours, minutes and seconds.
private func text(_ interval: TimeInterval) -> String {
    let seconds = Int(interval)
    return "\(seconds / 3600)h \(seconds / 60 % 60)m \(seconds % 60)s"
}
