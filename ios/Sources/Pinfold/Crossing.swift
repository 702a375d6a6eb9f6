import Foundation

/// What the boundary to Rust can take.
enum Crossing {
    /// Lengths are 32-bit signed integers there, and larger ones would trap.
    static let maxBytes = 1 << 30

    static func allows(_ bytes: Int) -> Bool {
        bytes <= maxBytes
    }

    /// Seconds as whole milliseconds, rounded up so that little does not become none; nothing for
    /// what is no duration. How long is too long is decided in Rust.
    static func milliseconds(_ seconds: TimeInterval) -> UInt64? {
        // A NaN is in no range.
        guard (0..<1e12).contains(seconds) else { return nil }
        return UInt64((seconds * 1000).rounded(.up))
    }

    /// Whole seconds since 1970; nothing outside of the four-digit years, as RFC 3339 §5.6 has
    /// them.
    static func seconds(_ date: Date) -> UInt64? {
        let seconds = date.timeIntervalSince1970
        // A NaN is in no range.
        guard (0..<253_402_300_800).contains(seconds) else { return nil }
        return UInt64(seconds)
    }
}
