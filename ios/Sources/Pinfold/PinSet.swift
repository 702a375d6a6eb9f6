import Foundation
internal import PinfoldBindings

/// A checked set of pins: for each host, which keys its certificates may have.
///
/// From a file of the app, or put together in code:
///
/// ```swift
/// let pins = try PinSet(hosts: [
///     HostPolicy(
///         host: "api.example.com",
///         includeSubdomains: true,
///         pins: [
///             Pin("sha256/dpJYSILN3vPDjmyxKEFRYiHPRf9LrAkT0P4p7LIO3lI=", at: .leaf),
///             Pin("sha256/P8TNKwpRMWUeT8m9bVAlTBDjCRKjLNw1RuO1pB4rDBE=", state: .backup),
///         ]
///     )
/// ])
/// ```
///
/// A pin set is checked as a whole when it is made and never changes; it can be shared freely.
public struct PinSet: Sendable {
    let bindings: PinfoldBindings.PinSet

    /// Reads a pin set in JSON, strictly: unknown members, duplicate keys and whatever follows the
    /// document are errors.
    ///
    /// - Parameter json: The document in UTF-8, at most 256 KiB.
    /// - Throws: ``PinfoldError/invalidPinSet(place:message:)``, which names the place, such as
    ///   `hosts[0].pins[1].sha256`.
    public init(json: Data) throws(PinfoldError) {
        try self.init(size: json.count) { try .parse(json: json) }
    }

    /// Reads a pin set in JSON, strictly: unknown members, duplicate keys and whatever follows the
    /// document are errors.
    ///
    /// - Parameter json: The document, at most 256 KiB in UTF-8.
    /// - Throws: ``PinfoldError/invalidPinSet(place:message:)``, which names the place, such as
    ///   `hosts[0].pins[1].sha256`.
    public init(json: String) throws(PinfoldError) {
        try self.init(json: Data(json.utf8))
    }

    /// Checks a pin set that was put together in code.
    ///
    /// - Parameters:
    ///   - hosts: The entries, at most one a host.
    ///   - version: The pin set's own version, for errors and reports.
    ///   - blockedSPKI: Keys that no certificate path may contain, whatever vouches for it, as
    ///     `sha256/…`. They hold for every host, with an entry or without.
    /// - Throws: ``PinfoldError/invalidPinSet(place:message:)``, which names the place, such as
    ///   `hosts[0].pins[1].sha256`.
    public init(
        hosts: [HostPolicy],
        version: UInt64? = nil,
        blockedSPKI: [String] = []
    ) throws(PinfoldError) {
        var specs: [HostSpec] = []
        for (i, policy) in hosts.enumerated() {
            specs.append(try policy.spec(place: "hosts[\(i)]"))
        }
        let spec = PinSetSpec(version: version, blockedSpki: blockedSPKI, hosts: specs)
        let size = (hosts.map(\.size) + blockedSPKI.map(\.utf8.count)).reduce(0, +)
        try self.init(size: size) { try .build(spec: spec) }
    }

    init(_ bindings: PinfoldBindings.PinSet) {
        self.bindings = bindings
    }

    /// The pin set's own version, where it has one.
    public var version: UInt64? { bindings.version() }

    /// The hosts of its entries, normalised, in the order written.
    public var hosts: [String] { bindings.hosts() }

    private init(
        size: Int,
        make: () throws -> PinfoldBindings.PinSet
    ) throws(PinfoldError) {
        guard Crossing.allows(size) else {
            let message = "pin set, document: larger than \(Crossing.maxBytes) bytes"
            throw .invalidPinSet(place: "document", message: message)
        }
        bindings = try PinfoldError.translating(make)
    }
}

extension PinSet: CustomStringConvertible {
    /// The version and the hosts.
    public var description: String {
        let name = version.map { "pin set \($0)" } ?? "pin set"
        return "\(name) of \(hosts.joined(separator: ", "))"
    }
}
