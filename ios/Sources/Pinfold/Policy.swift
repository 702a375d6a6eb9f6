import Foundation
internal import PinfoldBindings

/// What to do when no pin of a host matches.
public enum Mode: Hashable, Sendable {
    /// Refuse the connection: ``PinfoldError/pinMismatch(_:message:)``.
    case enforce
    /// Use the connection, and say so in ``Response/pinning``.
    case reportOnly
    /// Do not look at pins at all; the certificate must be trusted all the same.
    case off
}

/// What makes a certificate trusted before pins are looked at.
public enum Trust: Hashable, Sendable {
    /// The system's authorities (or ``PinnedClient/Configuration/roots``), and a pin.
    case systemAndPin
    /// The authorities in ``HostPolicy/anchors`` and no others, and a pin.
    case privateCa
    /// A pin of the end-entity certificate alone, for self-signed servers. The handshake's
    /// signature, the host name and the validity are still checked.
    case pinOnly
}

/// Where on the verified certificate path a pin may match.
public enum PinAt: Hashable, Sendable {
    /// The end-entity certificate only.
    case leaf
    /// An intermediate or the root only.
    case ca
    /// Anywhere.
    case any
}

/// Where in its life a pin is. A pin matches in each of these states.
public enum PinState: Hashable, Sendable {
    /// In use.
    case active
    /// Kept ready for the next key, on no server yet (RFC 7469 §2.5).
    case backup
    /// On its way out: a match tells that removal would be too early.
    case retiring
}

/// One pin: the SHA-256 of a public key, or of a whole certificate.
///
/// ```swift
/// Pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI=", at: .leaf)
/// ```
public struct Pin: Hashable, Sendable {
    /// `sha256/` and the Base64 SHA-256 of the key's SubjectPublicKeyInfo (RFC 7469 §2.4), or
    /// `cert-sha256/` and that of the whole certificate.
    public var text: String
    /// Where the pin may match.
    public var at: PinAt
    /// Where in its life the pin is.
    public var state: PinState
    /// A note for people.
    public var label: String?
    /// The pinned authority's certificate in DER, where servers do not send it.
    public var certificate: Data?

    /// A pin. It is checked when the ``PinSet`` is made.
    ///
    /// - Parameters:
    ///   - text: `sha256/…` or `cert-sha256/…`.
    ///   - at: Where the pin may match.
    ///   - state: Where in its life the pin is.
    ///   - label: A note for people.
    ///   - certificate: The pinned authority's certificate in DER, where servers do not send it.
    public init(
        _ text: String,
        at: PinAt = .any,
        state: PinState = .active,
        label: String? = nil,
        certificate: Data? = nil
    ) {
        self.text = text
        self.at = at
        self.state = state
        self.label = label
        self.certificate = certificate
    }
}

/// What a pin set says of one host.
public struct HostPolicy: Hashable, Sendable {
    /// The host's name or IP address.
    public var host: String
    /// Whether the entry also covers every name below the host, at any depth.
    public var includeSubdomains: Bool
    /// The pins; under ``Mode/enforce`` at least two distinct ones, so that a lost key does not
    /// lock the app out (RFC 7469 §4.3).
    public var pins: [Pin]
    /// What to do when no pin matches.
    public var mode: Mode
    /// What makes a certificate trusted before pins are looked at.
    public var trust: Trust
    /// When the entry lapses, to the second; none for never. From then on the host has the trust
    /// of its entry without its pins, and responses say ``Pinning/lapsed(rule:)``.
    public var expires: Date?
    /// The authorities of ``Trust/privateCa``, in DER.
    public var anchors: [Data]

    /// An entry. It is checked when the ``PinSet`` is made.
    ///
    /// - Parameters:
    ///   - host: The host's name or IP address.
    ///   - includeSubdomains: Whether every name below the host is covered, at any depth.
    ///   - pins: The pins; at least two distinct ones under ``Mode/enforce``.
    ///   - mode: What to do when no pin matches.
    ///   - trust: What makes a certificate trusted before pins are looked at.
    ///   - expires: When the entry lapses; none for never.
    ///   - anchors: The authorities of ``Trust/privateCa``, in DER.
    public init(
        host: String,
        includeSubdomains: Bool = false,
        pins: [Pin],
        mode: Mode = .enforce,
        trust: Trust = .systemAndPin,
        expires: Date? = nil,
        anchors: [Data] = []
    ) {
        self.host = host
        self.includeSubdomains = includeSubdomains
        self.pins = pins
        self.mode = mode
        self.trust = trust
        self.expires = expires
        self.anchors = anchors
    }
}

extension HostPolicy {
    /// The entry as it crosses into Rust; `place` is where it stands in the pin set.
    func spec(place: String) throws(PinfoldError) -> HostSpec {
        HostSpec(
            host: host,
            includeSubdomains: includeSubdomains,
            mode: mode.bindings,
            trust: trust.bindings,
            expires: try expiryText(place: "\(place).expires"),
            pins: pins.map(\.spec),
            anchors: anchors
        )
    }

    /// How many bytes the entry is made of.
    var size: Int {
        host.utf8.count + anchors.map(\.count).reduce(0, +) + pins.map(\.size).reduce(0, +)
    }

    private func expiryText(place: String) throws(PinfoldError) -> String? {
        guard let expires else { return nil }
        guard Crossing.seconds(expires) != nil else {
            let message = "pin set, \(place): not a date between the years 1970 and 9999"
            throw .invalidPinSet(place: place, message: message)
        }
        return expires.formatted(.iso8601)
    }
}

extension Pin {
    fileprivate var spec: PinSpec {
        PinSpec(
            pin: text,
            at: at.bindings,
            state: state.bindings,
            label: label,
            certificate: certificate
        )
    }

    fileprivate var size: Int {
        text.utf8.count + (label?.utf8.count ?? 0) + (certificate?.count ?? 0)
    }
}

extension Mode {
    init(_ bindings: PinfoldBindings.Mode) {
        self =
            switch bindings {
            case .enforce: .enforce
            case .reportOnly: .reportOnly
            case .off: .off
            }
    }

    fileprivate var bindings: PinfoldBindings.Mode {
        switch self {
        case .enforce: .enforce
        case .reportOnly: .reportOnly
        case .off: .off
        }
    }
}

extension Trust {
    init(_ bindings: PinfoldBindings.Trust) {
        self =
            switch bindings {
            case .systemAndPin: .systemAndPin
            case .privateCa: .privateCa
            case .pinOnly: .pinOnly
            }
    }

    fileprivate var bindings: PinfoldBindings.Trust {
        switch self {
        case .systemAndPin: .systemAndPin
        case .privateCa: .privateCa
        case .pinOnly: .pinOnly
        }
    }
}

extension PinAt {
    init(_ bindings: PinfoldBindings.PinAt) {
        self =
            switch bindings {
            case .leaf: .leaf
            case .ca: .ca
            case .any: .any
            }
    }

    fileprivate var bindings: PinfoldBindings.PinAt {
        switch self {
        case .leaf: .leaf
        case .ca: .ca
        case .any: .any
        }
    }
}

extension PinState {
    init(_ bindings: PinfoldBindings.PinState) {
        self =
            switch bindings {
            case .active: .active
            case .backup: .backup
            case .retiring: .retiring
            }
    }

    fileprivate var bindings: PinfoldBindings.PinState {
        switch self {
        case .active: .active
        case .backup: .backup
        case .retiring: .retiring
        }
    }
}
