import Dispatch
import Foundation
internal import PinfoldBindings

/// Gives the value of the `Authorization` header, such as `Bearer …`, to requests to the server of
/// ``PinnedClient/Configuration/baseURL`` that have none themselves.
///
/// ```swift
/// configuration.baseURL = "https://api.example.com/"
/// configuration.authenticator = Authenticator { refused in
///     "Bearer \(try await tokens.fresh(after: refused))"
/// }
/// ```
public final class Authenticator: Sendable {
    /// What a server did not take.
    public struct Refused: Sendable {
        /// The value of `Authorization`.
        public let authorization: String
        /// The values of `WWW-Authenticate`, which say what it wants (RFC 9110 §11.6.1).
        public let challenges: [String]
    }

    let authorize: @Sendable (Refused?) async throws -> String?

    /// An authenticator.
    ///
    /// Requests of its own go by another client or session, or have an `Authorization` header: this
    /// client's would wait for it. Calls that wait for it end with their own timeout or cancellation, and
    /// it goes on.
    ///
    /// - Parameter authorize: The value to send, or nothing to send none. Asked before the first request,
    ///   and again after a 401: then it is given what the server did not take, and nothing says that the
    ///   401 is the answer. However many calls meet a 401 at the same time, it is asked once, and each call
    ///   is sent once more. Whatever it throws, the calls that wait for it fail with
    ///   ``PinfoldError/ioFailed(place:message:)``, and the next one asks again.
    public init(_ authorize: @escaping @Sendable (Refused?) async throws -> String?) {
        self.authorize = authorize
    }
}

extension Authenticator: Hashable {
    /// Whether both are the same one.
    public static func == (one: Authenticator, other: Authenticator) -> Bool { one === other }

    /// By which one it is.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

extension Authenticator.Refused: CustomStringConvertible, CustomReflectable {
    /// Without the values: those may be secret.
    public var description: String { "\(challenges.count) challenges" }

    /// The same as ``description``.
    public var customMirror: Mirror { Mirror(self, children: ["summary": description]) }
}

/// Finds the addresses of hosts in the place of the system: DNS over HTTPS, or an app's own list.
public final class Resolver: Sendable {
    let resolve: @Sendable (String) async throws -> [String]

    /// A resolver.
    ///
    /// - Parameter resolve: The IP addresses of a host, in the order in which they are to be tried. Asked
    ///   once for all calls that need a name at the same time. Whatever it throws is
    ///   ``PinfoldError/dnsFailed(host:message:)``.
    public init(_ resolve: @escaping @Sendable (String) async throws -> [String]) {
        self.resolve = resolve
    }
}

extension Resolver: Hashable {
    /// Whether both are the same one.
    public static func == (one: Resolver, other: Resolver) -> Bool { one === other }

    /// By which one it is.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

final class Tokens: TokenSource {
    private let authenticator: Authenticator

    init(_ authenticator: Authenticator) { self.authenticator = authenticator }

    func authorize(refused: RefusedToken?) throws -> String? {
        let told = refused.map {
            Authenticator.Refused(authorization: $0.authorization, challenges: $0.challenges)
        }
        return try answered { [authenticator] in try await authenticator.authorize(told) }
    }
}

final class Names: NameResolver {
    private let resolver: Resolver

    init(_ resolver: Resolver) { self.resolver = resolver }

    func resolve(host: String) throws -> [String] {
        try answered { [resolver] in try await resolver.resolve(host) }
    }
}

/// Written once, before it is read.
private final class Slot<T: Sendable>: @unchecked Sendable {
    var result: Result<T, HookFailure>?
}

/// What an app's code gives, waited for on a thread of Rust's, or its failure as it can cross; what it
/// throws may say anything.
private func answered<T: Sendable>(_ ask: @escaping @Sendable () async throws -> T) throws -> T {
    let (slot, done) = (Slot<T>(), DispatchSemaphore(value: 0))
    Task {
        do {
            slot.result = .success(try await ask())
        } catch {
            slot.result = .failure(.Failed(reason: "it threw \(type(of: error))"))
        }
        // What was written before is seen by whoever has waited.
        done.signal()
    }
    done.wait()
    guard let result = slot.result else { throw HookFailure.Failed(reason: "no answer") }
    return try result.get()
}
