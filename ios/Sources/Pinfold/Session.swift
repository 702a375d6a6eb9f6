import Foundation
internal import PinfoldBindings

extension PinnedClient {
    /// What a session is told; see ``PinnedClient/session(_:)``.
    public struct SessionConfiguration: Hashable, Sendable {
        /// The headers of every request that has none of their names itself, in the place of the client's.
        /// Sensitive ones, `Authorization` and `Cookie` among them, go to the server of
        /// ``PinnedClient/Configuration/baseURL`` and to nobody else.
        public var defaultHeaders: [Header] = []
        /// Where cookies are kept; by default none are, whatever the client does.
        public var cookies: CookieJar?
        /// Who gives tokens; by default nobody does, whoever gives the client's.
        public var authenticator: Authenticator?
        /// Where proxies come from; by default from where the client's do.
        public var proxies = SessionProxies.ofClient

        /// A session without cookies and tokens.
        public init() {}

        var settings: SessionSettings {
            SessionSettings(
                defaultHeaders: defaultHeaders.map(\.bindings),
                cookies: cookies?.bindings,
                tokens: authenticator.map(Tokens.init),
                proxies: proxies.own?.bindings
            )
        }

        var size: Int {
            defaultHeaders.map { $0.name.utf8.count + $0.value.utf8.count }
                .reduce(proxies.own?.size ?? 0, +)
        }
    }

    /// Where a session's proxies come from.
    public enum SessionProxies: Hashable, Sendable {
        /// From where the client's do.
        case ofClient
        /// From here.
        case own(Proxies)

        var own: Proxies? {
            if case .own(let proxies) = self { proxies } else { nil }
        }
    }

    /// A session of this client: another one for whoever uses it, with the same pins, settings and limits,
    /// but with connections, TLS sessions, cookies, tokens and identities (``setIdentity(_:for:)``) of its
    /// own, of which nobody else gets any, and proxies if it is given some. For an app with several accounts,
    /// and for automation; a session costs about a kilobyte.
    ///
    /// Closing it ends its own calls and closes its connections; closing the client does that for all. Pins
    /// that are replaced through one are replaced for all.
    ///
    /// ```swift
    /// var configuration = PinnedClient.SessionConfiguration()
    /// configuration.cookies = CookieJar()
    /// let alice = try client.session(configuration)
    /// ```
    ///
    /// - Parameter configuration: What belongs to it alone.
    /// - Returns: The session.
    /// - Throws: ``PinfoldError/invalidConfig(place:message:)`` names the setting;
    ///   ``PinfoldError/clientClosed(message:)``.
    public func session(
        _ configuration: SessionConfiguration = SessionConfiguration()
    ) throws(PinfoldError) -> PinnedClient {
        guard Crossing.allows(configuration.size) else {
            let place = "default_headers"
            throw .invalidConfig(place: place, message: "setting \(place): too large")
        }
        let settings = configuration.settings
        return PinnedClient(
            sessionOf: self, try PinfoldError.translating { try client.session(settings: settings) }
        )
    }

    /// Connects to the server of a URL, where no idle connection to it is there: name, TCP, TLS and the
    /// decision about its certificate are done when the first request comes. Nothing of a request is sent.
    /// The connection is kept for a minute, as others are.
    ///
    /// - Parameter url: The URL; only its host and port count.
    /// - Throws: ``PinfoldError`` as for a request, or `CancellationError` if the task is cancelled.
    public func preconnect(_ url: String) async throws {
        try await call { call in try await self.client.preconnect(url: url, call: call) }
    }
}

/// Keeps the cookies that servers set, and sends them back by the rules of RFC 6265bis: each to its own
/// host, path and, where its server says so, the hosts below. Clients and sessions that are given the same
/// jar share it.
///
/// A name under which anybody can register (`co.uk`) gets none. `SameSite` says nothing here: an app's
/// requests come from no other site. A request with a `Cookie` header of its own sends that and no other.
public final class CookieJar: Sendable {
    let bindings: PinfoldBindings.CookieJar

    /// An empty jar in memory.
    public init() {
        bindings = PinfoldBindings.CookieJar()
    }

    /// A jar whose cookies outlive the process where their server says so, in a file that nobody else may
    /// read; one jar at a time has it. It is written after each change. One that is damaged is put aside as
    /// `NAME.damaged`, and the jar begins empty.
    ///
    /// - Parameter file: The file's URL.
    /// - Throws: ``PinfoldError/ioFailed(place:message:)`` where the file cannot be read.
    public init(file: URL) throws(PinfoldError) {
        bindings = try PinfoldError.translating { try .persistent(path: file.path) }
    }

    /// Sets a cookie as a server would with a `Set-Cookie` field.
    ///
    /// - Parameters:
    ///   - url: Where the server is.
    ///   - field: The field's value.
    /// - Returns: Whether it counts.
    /// - Throws: ``PinfoldError/invalidURL(url:message:)``.
    @discardableResult
    public func set(url: String, field: String) throws(PinfoldError) -> Bool {
        try PinfoldError.translating { try bindings.set(url: url, field: field) }
    }

    /// The `Cookie` header of a request to a URL, if it has one: for a web view, for instance.
    ///
    /// - Parameter url: The URL.
    /// - Returns: The header's value.
    /// - Throws: ``PinfoldError/invalidURL(url:message:)``.
    public func header(url: String) throws(PinfoldError) -> String? {
        try PinfoldError.translating { try bindings.header(url: url) }
    }

    /// All cookies, the oldest first.
    public var cookies: [Cookie] { bindings.cookies().map(Cookie.init) }

    /// Drops all cookies, in the file, too.
    ///
    /// - Throws: ``PinfoldError/ioFailed(place:message:)``.
    public func clear() throws(PinfoldError) {
        try PinfoldError.translating { try bindings.clear() }
    }

    /// Writes the file, where there is one and it is not up to date. That happens after each change by
    /// itself; where it fails no request does, and the next change tries again.
    ///
    /// - Throws: ``PinfoldError/ioFailed(place:message:)``.
    public func save() throws(PinfoldError) {
        try PinfoldError.translating { try bindings.save() }
    }
}

extension CookieJar: Hashable {
    /// Whether both are the same jar.
    public static func == (one: CookieJar, other: CookieJar) -> Bool { one === other }

    /// By which jar it is.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// A cookie of a ``CookieJar``.
public struct Cookie: Hashable, Sendable {
    /// Its name; empty for one without.
    public let name: String
    /// Its value, which may be a secret.
    public let value: String
    /// The host that gets it.
    public let domain: String
    /// Whether hosts below do not.
    public let isHostOnly: Bool
    /// Where the path of a URL begins that gets it.
    public let path: String
    /// When it ends; nothing for one that ends with the process.
    public let expires: Date?
    /// Whether browsers would send it over TLS only, as everything is sent here.
    public let isSecure: Bool
    /// Whether browsers would hide it from scripts.
    public let isHTTPOnly: Bool

    init(_ cookie: PinfoldBindings.Cookie) {
        name = cookie.name
        value = cookie.value
        domain = cookie.domain
        isHostOnly = cookie.hostOnly
        path = cookie.path
        expires = cookie.expires.map { Date(timeIntervalSince1970: TimeInterval($0)) }
        isSecure = cookie.secure
        isHTTPOnly = cookie.httpOnly
    }
}

extension Cookie: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name and where it goes, without the value.
    public var description: String { "\(name) \(domain)\(path)" }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// The same as ``description``.
    public var customMirror: Mirror { Mirror(self, children: ["summary": description]) }
}
