import Foundation
import Pinfold

extension PinSet {
    #if DEBUG
        /// A pin set for a debugging proxy or a server of the developer's own, in debug builds on a
        /// simulator or a developer's device.
        ///
        /// ```swift
        /// #if DEBUG
        ///     let client = try PinnedClient(
        ///         pins: .debugging(hosts: pins.hosts, authorities: [Data(contentsOf: file)]))
        /// #else
        ///     let client = try PinnedClient(pins: pins)
        /// #endif
        /// ```
        ///
        /// It switches nothing off elsewhere. A client with it accepts, for these hosts and what is
        /// below them, what the given authorities have issued, and nothing else: not the servers'
        /// own certificates either, so that it is never mistaken for the app's real client. Host
        /// name, dates and keys are judged as ever, other hosts are refused, and every other client
        /// of the app, and the updates of its pin sets, are as they were. Responses say
        /// `Pinning.off`.
        ///
        /// In a release build this does not exist: what uses it does not compile. Xcode builds packages
        /// as debug only where the configuration's name begins with "Debug". Where a debug build was
        /// signed for anybody but developers, it throws.
        ///
        /// - Parameters:
        ///   - hosts: Names and IP addresses, for instance those of the app's own pin set.
        ///   - authorities: Certificates in PEM or DER.
        /// - Throws: ``NotDebuggable`` where the app is not for a developer's use;
        ///   `PinfoldError.invalidPinSet` for an authority or a host that is none, none at all, or
        ///   more than 16 authorities.
        /// - Returns: The pin set.
        public static func debugging(hosts: [String], authorities: [Data]) throws -> PinSet {
            try debugging(hosts: hosts, authorities: authorities, in: .current)
        }

        static func debugging(
            hosts: [String],
            authorities: [Data],
            in build: DebugBuild
        ) throws -> PinSet {
            guard build.isDebuggable else { throw NotDebuggable() }
            let authorities = authorities.map { pemContents($0) ?? $0 }
            return try PinSet(
                hosts: hosts.map { host in
                    HostPolicy(
                        host: host, includeSubdomains: !isAddress(host), pins: [], mode: .off,
                        trust: .privateCa, anchors: authorities)
                })
        }
    #else
        /// Not in release builds. Xcode builds packages as such wherever the configuration's name does
        /// not begin with "Debug".
        @available(
            *, unavailable,
            message: "PinfoldDebug is not for release builds: put this into #if DEBUG"
        )
        public static func debugging(hosts: [String], authorities: [Data]) throws -> PinSet {
            throw NotDebuggable()
        }
    #endif
}

/// The app is not for a developer's use, so that no debugging pin set is to be had.
public struct NotDebuggable: Error, Hashable, Sendable, CustomStringConvertible, LocalizedError {
    /// What to do about it.
    public var description: String {
        "PinfoldDebug is in an app that is not debuggable: put the use of it into #if DEBUG"
    }

    /// The same as ``description``.
    public var errorDescription: String? { description }
}

#if DEBUG
    /// What the first block of a PEM text (RFC 7468) has in it; nothing for what is no such text.
    private func pemContents(_ data: Data) -> Data? {
        let text = String(decoding: data, as: UTF8.self)
        guard let begin = text.range(of: "-----BEGIN CERTIFICATE-----"),
            let end = text.range(
                of: "-----END CERTIFICATE-----", range: begin.upperBound..<text.endIndex)
        else { return nil }
        let contents = String(text[begin.upperBound..<end.lowerBound])
        return Data(base64Encoded: contents, options: .ignoreUnknownCharacters)
    }

    /// No name ends in a number or has a colon (RFC 1123 §2.1, RFC 4291 §2.2).
    private func isAddress(_ host: String) -> Bool {
        let last = host.split(separator: ".").last ?? ""
        return host.contains(":") || last.allSatisfy { ("0"..."9").contains($0) }
    }
#endif
