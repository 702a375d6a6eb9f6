import Foundation
internal import PinfoldBindings

/// What a refresh has come to.
public enum Refreshed: Hashable, Sendable {
    /// There is a newer pin set, and it is in force.
    case updated
    /// The one in force is the newest.
    case unchanged
}

/// Where a signed pin set stands among those of its series: a greater one follows a smaller one.
public struct PinSetOrder: Hashable, Comparable, Sendable {
    /// The version of the root, the document that says whose signatures count.
    public let root: UInt64
    /// The epoch of both documents: the owner's way to begin the versions anew after a stolen key.
    public let epoch: UInt64
    /// The version of the pin set.
    public let pinSet: UInt64

    /// Whether one comes before another: by root, then epoch, then pin set.
    ///
    /// - Parameters:
    ///   - lhs: The one.
    ///   - rhs: The other.
    /// - Returns: Whether it does.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.root, lhs.epoch, lhs.pinSet) < (rhs.root, rhs.epoch, rhs.pinSet)
    }
}

/// How a signed pin set stands to the time.
public enum Freshness: Hashable, Sendable {
    /// The policy holds as written.
    case fresh
    /// It has expired: the policy holds as written, and an update is overdue.
    case stale
    /// It has been stale for as long as it may: after one more attempt at an update, its
    /// `on_lapse` decides, which mostly leaves trust without pins.
    case lapsed
}

/// How the pin set of an updater stands, for a support screen.
///
/// ```swift
/// let status = updater.status
/// show("pin set \(status.order.pinSet), \(status.freshness)")
/// show(status.lastError?.message ?? "no error")
/// ```
public struct PinSetStatus: Hashable, Sendable {
    /// Its versions.
    public let order: PinSetOrder
    /// How it stands to the time: the device's clock, or the documents' own dates if they are later.
    public let freshness: Freshness
    /// When it was issued.
    public let issued: Date
    /// When it becomes stale.
    public let expires: Date
    /// When a server last said what is newest, in this process or an earlier one; none for never.
    public let checked: Date?
    /// The time until the next regular attempt, in seconds; 0 where it is due.
    public let nextDue: TimeInterval
    /// Why the last attempt failed, if it did.
    public let lastError: PinSetUpdateError?
}

/// What happens to the pin set of an updater: ``PinSetUpdater/Configuration/onEvent``.
///
/// A later version may have more cases, so a `switch` needs a `default`.
public enum UpdateEvent: Hashable, Sendable {
    /// Another pin set is in force.
    case updated(PinSetOrder)
    /// The mirror at `url` has the version in force with other contents: somebody with a key that
    /// counts shows different truths under one version.
    case equivocation(url: String)
    /// A document was refused, always as ``PinSetUpdateError/rejected(_:place:message:)``. `url` is
    /// where it came from, none for what was stored.
    case rejected(PinSetUpdateError, url: String?)
    /// No URL could be had; what the last one said.
    case unavailable(reason: String)
    /// What is stored could not be read or written; what is in memory is still good.
    case store(reason: String)
    /// The mirror at `url` has nothing but an older document. Told once, until it has another or
    /// there is a newer one in force.
    case staleMirror(url: String)
    /// The pin set has expired. It is enforced as written while another is looked for.
    case stale
    /// The pin set, or the entry of one host, has lapsed; without a host it is the whole pin set.
    case lapsed(host: String?)
    /// A connection to `host` was allowed because the pin set and the device's management both name
    /// the authority that inspects it. Told once for each host and authority.
    case inspected(host: String, authority: String)
}

extension Refreshed {
    init(_ refreshed: PinfoldBindings.Refreshed) {
        self =
            switch refreshed {
            case .updated: .updated
            case .unchanged: .unchanged
            }
    }
}

extension PinSetOrder {
    fileprivate init(_ order: PinfoldBindings.PinSetOrder) {
        root = order.root
        epoch = order.epoch
        pinSet = order.pinset
    }
}

extension Freshness {
    fileprivate init(_ freshness: PinfoldBindings.Freshness) {
        self =
            switch freshness {
            case .fresh: .fresh
            case .stale: .stale
            case .lapsed: .lapsed
            }
    }
}

extension PinSetStatus {
    init(_ status: PinfoldBindings.PinSetStatus) {
        func date(_ seconds: UInt64) -> Date {
            Date(timeIntervalSince1970: TimeInterval(seconds))
        }
        order = PinSetOrder(status.order)
        freshness = Freshness(status.freshness)
        issued = date(status.issued)
        expires = date(status.expires)
        checked = status.checked.map(date)
        nextDue = TimeInterval(status.nextDue)
        lastError = status.lastError.map(PinSetUpdateError.init)
    }
}

extension UpdateEvent {
    init(_ event: PinfoldBindings.UpdateEvent) {
        self =
            switch event {
            case .updated(let order): .updated(PinSetOrder(order))
            case .rejected(let url, let failure): .rejected(PinSetUpdateError(failure), url: url)
            case .equivocation(let url): .equivocation(url: url)
            case .staleMirror(let url): .staleMirror(url: url)
            case .unavailable(let reason): .unavailable(reason: reason)
            case .store(let reason): .store(reason: reason)
            case .stale: .stale
            case .lapsed(let host): .lapsed(host: host)
            case .inspected(let host, let authority):
                .inspected(host: host, authority: authority)
            }
    }
}
