import Foundation
internal import PinfoldBindings

/// Why no update came. The pin set in force stays, so an app need not do anything about it: the
/// next attempt is planned already (``PinSetStatus/nextDue``).
///
/// A later version may have more cases, so a `switch` needs a `default`.
public enum PinSetUpdateError: Error, Hashable, Sendable {
    /// A bug in Pinfold, caught before it could do harm. Please report it.
    case `internal`(message: String)
    /// What the last URL gave was refused; `place` is where in the document, such as
    /// `pinset.hosts[0].pins[1].sha256`.
    case rejected(Cause, place: String, message: String)
    /// No URL gave a document; the message tells of the last one.
    case unavailable(message: String)

    /// The rule that a document broke; the raw value is the error's code.
    public enum Cause: String, CaseIterable, Sendable {
        /// It is for other apps.
        case audience
        /// The root does not let its signers say so.
        case constraints
        /// It belongs to another epoch than the root.
        case epoch
        /// The version in use again, with other contents: somebody shows different truths.
        case equivocation
        /// It would outlive its end for longer than allowed.
        case grace
        /// It is not in the form of such a document.
        case malformed
        /// It is older than the one in use.
        case rollback
        /// It belongs to another series of documents.
        case stream
        /// Too few of the keys that count have signed it.
        case threshold
        /// It was issued before the one in use, although its version is not lower.
        case timeRollback = "time_rollback"
        /// It is larger than any honest one.
        case tooLarge = "too_large"
        /// It is a document of another type than its place asks for.
        case type
        /// It needs a newer version of this library.
        case unsupported
        /// Its validity is empty, longer than allowed, or longer than the root's.
        case window
    }
}

extension PinSetUpdateError {
    /// The stable code: lower case, never renamed, the same in every language.
    public var code: String {
        switch self {
        case .internal: "internal"
        case .rejected(let cause, _, _): cause.rawValue
        case .unavailable: "unavailable"
        }
    }

    /// What happened, in English, for a log.
    public var message: String {
        switch self {
        case .internal(let message), .rejected(_, _, let message), .unavailable(let message):
            message
        }
    }

    /// Where in the document the fault is, where it was one.
    public var place: String? {
        switch self {
        case .rejected(_, let place, _): place
        default: nil
        }
    }
}

extension PinSetUpdateError: LocalizedError {
    /// ``message``, so that `localizedDescription` says something.
    public var errorDescription: String? { message }
}

extension PinSetUpdateError: CustomStringConvertible {
    /// The code and the message.
    public var description: String { "\(code): \(message)" }
}

extension PinSetUpdateError {
    /// The error that Rust's failure is, by its code.
    init(_ failure: UpdateFailure) {
        let message = failure.message
        self =
            switch (failure.code, Cause(rawValue: failure.code)) {
            case ("internal", _): .internal(message: message)
            case ("unavailable", _): .unavailable(message: message)
            case (_, let cause?): .rejected(cause, place: failure.place ?? "", message: message)
            // Not of this set: a test sees to it that no code of the library comes here.
            case (let code, nil): .internal(message: "unknown code \(code): \(message)")
            }
    }

    /// The error for whatever the generated code throws: a failure, or a panic caught in Rust.
    init(thrown error: any Error) {
        switch error {
        case PinSetFailure.Failed(let failure): self.init(failure)
        default: self = .internal(message: "a bug in Pinfold: \(error.localizedDescription)")
        }
    }
}
