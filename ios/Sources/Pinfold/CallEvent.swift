import Foundation
internal import PinfoldBindings

/// Something that happened to a call, for logs and counters; see ``PinnedClient/Configuration/listener``.
/// No header, body, path or query is in it. A later version may have more cases, so a `switch` needs a
/// `default`.
public enum CallEvent: Hashable, Sendable {
    /// A call begins; it may still queue.
    case begun(call: UInt64, host: String, method: String)
    /// A hop has its connection, whose certificate the pin set allows.
    case connected(call: UInt64, host: String, isReused: Bool)
    /// A request is to be sent again after a wait in seconds, because of an error's code or a status; see
    /// ``PinnedClient/Configuration/retries``.
    case retried(call: UInt64, host: String, before: Int, wait: TimeInterval, cause: String)
    /// A request is to be sent again with another token.
    case tokenRenewed(call: UInt64, host: String)
    /// A redirect is followed.
    case redirected(call: UInt64, host: String, to: String)
    /// The head of the response is there, so many seconds after the call began; its body may follow.
    case answered(call: UInt64, host: String, status: Int, after: TimeInterval)
    /// There is no response, so many seconds after the call began; or its body has failed after its head
    /// was there.
    case failed(call: UInt64, host: String, code: String, after: TimeInterval)
}

/// Somebody who wants to know what happens to calls.
public final class CallListener: Sendable {
    let event: @Sendable (CallEvent) -> Void

    /// A listener.
    ///
    /// - Parameter event: Called on the thread of the call, in order, while it waits: it has to be quick.
    public init(_ event: @escaping @Sendable (CallEvent) -> Void) {
        self.event = event
    }
}

extension CallListener: Hashable {
    /// Whether both are the same one.
    public static func == (one: CallListener, other: CallListener) -> Bool { one === other }

    /// By which one it is.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

final class CallEvents: PinfoldBindings.CallListener {
    private let listener: CallListener

    init(_ listener: CallListener) { self.listener = listener }

    func event(event: PinfoldBindings.CallEvent) {
        listener.event(CallEvent(event))
    }
}

extension CallEvent {
    init(_ event: PinfoldBindings.CallEvent) {
        func seconds(_ ms: UInt64) -> TimeInterval { TimeInterval(ms) / 1000 }
        self =
            switch event {
            case .begun(let call, let host, let method):
                .begun(call: call, host: host, method: method)
            case .connected(let call, let host, let reused):
                .connected(call: call, host: host, isReused: reused)
            case .retried(let call, let host, let before, let waitMs, let cause):
                .retried(
                    call: call, host: host, before: Int(before), wait: seconds(waitMs), cause: cause
                )
            case .tokenRenewed(let call, let host): .tokenRenewed(call: call, host: host)
            case .redirected(let call, let host, let to):
                .redirected(call: call, host: host, to: to)
            case .answered(let call, let host, let status, let afterMs):
                .answered(call: call, host: host, status: Int(status), after: seconds(afterMs))
            case .failed(let call, let host, let code, let afterMs):
                .failed(call: call, host: host, code: code, after: seconds(afterMs))
            }
    }
}
