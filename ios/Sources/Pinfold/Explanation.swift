import Foundation
internal import PinfoldBindings

/// Why a connection to a host that presents a certificate chain would be used or refused:
/// ``PinnedClient/explain(host:chain:at:)``.
public struct Explanation: Hashable, Sendable {
    /// The host in canonical form.
    public let host: String
    /// When, to the second.
    public let at: Date
    /// Whether a client would use the connection.
    public let isAllowed: Bool
    /// How the certificate stands to the pin set. Where it is not trusted, only the end-entity was
    /// compared.
    public let verdict: Verdict
    /// Why it is not trusted; nothing where it is.
    public let distrust: UntrustedReason?
    /// The pin set's entry that holds, if any.
    public let policy: Policy?
    /// Every path that was tried, the one that counts last. A path that is not verified is the
    /// end-entity alone.
    public let paths: [Path]
    /// The pin that matched.
    public let match: Match?
    /// The error with which a request would fail.
    public let error: PinfoldError?
    /// Who is probably in the middle, where something speaks for anybody.
    public let interception: InterceptionReport?
    /// The whole as JSON, as `pinfold evaluate --json` prints it.
    public let json: String

    /// How a certificate stands to the pin set.
    public enum Verdict: Hashable, Sendable {
        /// The pin set blocks a key on every valid path.
        case blockedKey
        /// No pin is on any valid path, but an authority that may inspect the connection is.
        case inspected
        /// The entry's time is over.
        case lapsed
        /// A pin is on the path.
        case match
        /// No pin is on any valid path.
        case noMatch
        /// The pin set says nothing about the host.
        case notPinned
        /// The entry switches pinning off.
        case off
    }

    /// The entry of the pin set that holds for the host.
    public struct Policy: Hashable, Sendable {
        /// The entry's host.
        public let host: String
        /// Whether that is the host asked for; else it is the nearest parent whose entry includes
        /// its subdomains.
        public let isExact: Bool
        /// What to do when no pin matches.
        public let mode: Mode
        /// What makes a certificate trusted before pins are looked at.
        public let trust: Trust
        /// When the entry lapses; none for never.
        public let expires: Date?
        /// The pins, without the certificates that they may have brought along.
        public let pins: [Pin]
    }

    /// A certificate path that was tried.
    public struct Path: Hashable, Sendable {
        /// Its certificates, the end-entity first.
        public let certificates: [Certificate]
        /// What became of it.
        public let fate: Fate

        /// A certificate of a path.
        public struct Certificate: Hashable, Sendable {
            /// The pin of its key, `sha256/…`.
            public let pin: String
            /// Its subject's common name and organisation.
            public let subject: String?
        }

        /// How a path stands to the pin set.
        public enum Fate: Hashable, Sendable {
            /// It is valid, and nothing more was asked of it.
            case accepted
            /// A key on it is blocked.
            case blocked
            /// A pin is on it.
            case match
            /// It is valid, but no pin is on it.
            case noPin
        }
    }

    /// The pin that matched.
    public struct Match: Hashable, Sendable {
        /// The pin.
        public let pin: String
        /// Where it was found.
        public let at: PinAt
        /// The subject of the certificate that it is of.
        public let subject: String?
        /// That certificate's position in the path; 0 is the end-entity.
        public let depth: Int
        /// What the pin set says of it.
        public let state: PinState
    }
}

extension Explanation {
    init(_ explanation: PinfoldBindings.Explanation) {
        host = explanation.host
        at = Date(timeIntervalSince1970: TimeInterval(explanation.at))
        isAllowed = explanation.allowed
        verdict = Verdict(explanation.verdict)
        // What is not trusted stays so, whatever the reason is called.
        distrust = explanation.distrust.map { UntrustedReason(rawValue: $0) ?? .invalid }
        policy = explanation.policy.map(Policy.init)
        paths = explanation.paths.map(Path.init)
        match = explanation.matched.map(Match.init)
        error = explanation.failure.map { PinfoldError($0) }
        interception = explanation.interception.flatMap(InterceptionReport.init)
        json = explanation.json
    }
}

extension Explanation.Verdict {
    fileprivate init(_ verdict: PinfoldBindings.Verdict) {
        self =
            switch verdict {
            case .blockedKey: .blockedKey
            case .inspected: .inspected
            case .lapsed: .lapsed
            case .match: .match
            case .noMatch: .noMatch
            case .notPinned: .notPinned
            case .off: .off
            }
    }
}

extension Explanation.Policy {
    fileprivate init(_ policy: PolicyChoice) {
        host = policy.host
        isExact = policy.isExact
        mode = Mode(policy.mode)
        trust = Trust(policy.trust)
        expires = policy.expires.map { Date(timeIntervalSince1970: TimeInterval($0)) }
        pins = policy.pins.map {
            Pin($0.pin, at: PinAt($0.at), state: PinState($0.state), label: $0.label)
        }
    }
}

extension Explanation.Path {
    fileprivate init(_ path: TriedPath) {
        certificates = path.certificates.map { Certificate(pin: $0.pin, subject: $0.subject) }
        fate =
            switch path.fate {
            case .accepted: .accepted
            case .blocked: .blocked
            case .match: .match
            case .noPin: .noPin
            }
    }
}

extension Explanation.Match {
    fileprivate init(_ matched: Matched) {
        pin = matched.pin
        at = PinAt(matched.at)
        subject = matched.subject
        depth = Int(matched.depth)
        state = PinState(matched.state)
    }
}
