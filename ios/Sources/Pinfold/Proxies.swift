import Foundation
internal import PinfoldBindings

/// Where the proxies of a client come from. Pins hold through each of them: a tunnel's other end is
/// judged as ever, and whoever inspects it is refused and named.
public enum Proxies: Hashable, Sendable {
    /// The system's, with the PAC file of the network, which the system evaluates. What it says of a
    /// host is used for a minute, or until the network changes. Elsewhere than on Apple's systems there
    /// are none: see ``environment``.
    ///
    /// `credentials` says who the app is to a proxy; without it one that wants a password ends a call
    /// with ``PinfoldError/proxyAuthRequired(host:proxy:message:)``.
    case system(credentials: ProxyCredentials? = nil)
    /// There are none, whatever the system says.
    case none
    /// What the environment says, by curl's rules for HTTPS: the first of `https_proxy`, `HTTPS_PROXY`,
    /// `all_proxy` and `ALL_PROXY` that is not empty, but for the hosts of `no_proxy` or `NO_PROXY`.
    case environment
    /// One for every host that `noProxy` does not exclude: names with all below them, addresses,
    /// networks such as `10.0.0.0/8`, or `*`; each with a port if it ends in `:PORT`; with commas or
    /// blanks between them.
    case fixed(Proxy, noProxy: String = "")
    /// The app is asked for each host.
    case selector(ProxySelector)
}

/// Says by which ways a host may be reached.
public final class ProxySelector: Hashable, Sendable {
    let select: @Sendable (_ host: String, _ port: UInt16) throws -> [ProxyRoute]

    /// A selector.
    ///
    /// - Parameter select: The ways to a host at a port, the best first. The next one is taken where a
    ///   proxy cannot be reached or used, and not where it refuses. Called on a thread of Pinfold's; its
    ///   answer is used for a minute, or until the network changes. To throw, or to name no way, fails
    ///   the call with ``PinfoldError/proxyFailed(host:proxy:message:)``.
    public init(
        _ select: @escaping @Sendable (_ host: String, _ port: UInt16) throws -> [ProxyRoute]
    ) {
        self.select = select
    }

    /// Whether it is the same selector.
    public static func == (one: ProxySelector, other: ProxySelector) -> Bool { one === other }

    /// By which selector it is.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// One of the ways to a host.
public enum ProxyRoute: Hashable, Sendable {
    /// Without a proxy.
    case direct
    /// Through this one.
    case via(Proxy)
}

/// A proxy. No description of it holds the password.
public struct Proxy: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// How a proxy is spoken to.
    public enum Scheme: Hashable, Sendable {
        /// CONNECT in the clear (RFC 9110 §9.3.6).
        case http
        /// CONNECT over TLS to the proxy.
        case https
        /// SOCKS5 (RFC 1928); names are looked up by the client.
        case socks5
        /// SOCKS5; names are looked up by the proxy.
        case socks5h
    }

    /// How it is spoken to.
    public var scheme: Scheme
    /// Its host; the certificate of an `https` proxy is judged under this name, by the pin set's entry
    /// for it where there is one.
    public var host: String
    /// Its port.
    public var port: UInt16
    /// Who the app is to it: for Basic (RFC 7617), Digest (RFC 7616) or SOCKS5 (RFC 1929), whichever it
    /// asks for.
    public var credentials: ProxyCredentials?

    /// A proxy.
    public init(
        scheme: Scheme, host: String, port: UInt16, credentials: ProxyCredentials? = nil
    ) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.credentials = credentials
    }

    /// Reads what curl takes after `-x`: `[SCHEME://][USER:PASSWORD@]HOST[:PORT]`. The scheme is `http`
    /// without one, the port 443 for `https` and 1080 for all others.
    ///
    /// - Throws: ``PinfoldError/invalidConfig(place:message:)``, which does not repeat what it refuses.
    public init(url: String) throws(PinfoldError) {
        let proxy = try PinfoldError.translating { try parseProxy(url: url) }
        scheme =
            switch proxy.scheme {
            case .http: .http
            case .https: .https
            case .socks5: .socks5
            case .socks5h: .socks5h
            }
        (host, port) = (proxy.host, proxy.port)
        credentials = proxy.user.map { .init(user: $0, password: proxy.password ?? "") }
    }

    /// Its URL, without user and password.
    public var description: String {
        let host = host.contains(":") ? "[\(host)]" : host
        return "\(scheme)://\(host):\(port)"
    }

    /// The same.
    public var debugDescription: String { description }

    var bindings: PinfoldBindings.Proxy {
        let scheme: PinfoldBindings.ProxyScheme =
            switch scheme {
            case .http: .http
            case .https: .https
            case .socks5: .socks5
            case .socks5h: .socks5h
            }
        return .init(
            scheme: scheme, host: host, port: port, user: credentials?.user,
            password: credentials?.password)
    }

    var size: Int { host.utf8.count + (credentials?.size ?? 0) }
}

/// Who an app is to a proxy. No description of it holds the password.
public struct ProxyCredentials: Hashable, Sendable, CustomStringConvertible,
    CustomDebugStringConvertible
{
    /// The user, without a colon, at most 255 bytes.
    public var user: String
    /// The password, at most 255 bytes.
    public var password: String

    /// A user and a password.
    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// Nothing of either.
    public var description: String { "ProxyCredentials" }

    /// The same.
    public var debugDescription: String { description }

    var size: Int { user.utf8.count + password.utf8.count }
}

extension Proxies {
    var bindings: PinfoldBindings.Proxies {
        switch self {
        case .system(let credentials): Self.ofSystem(credentials)
        case .none: .none
        case .environment: .environment
        case .fixed(let proxy, let noProxy): .fixed(proxy: proxy.bindings, noProxy: noProxy)
        case .selector(let selector): .selector(selector: Selecting(selector))
        }
    }

    var size: Int {
        switch self {
        case .system(let credentials): credentials?.size ?? 0
        case .fixed(let proxy, let noProxy): proxy.size + noProxy.utf8.count
        case .none, .environment, .selector: 0
        }
    }

    private static func ofSystem(_ credentials: ProxyCredentials?) -> PinfoldBindings.Proxies {
        #if canImport(CFNetwork)
            return .selector(selector: Selecting(.system(credentials)))
        #else
            return .none
        #endif
    }
}

/// A selector as Rust asks it.
private final class Selecting: PinfoldBindings.ProxySelector {
    private let selector: ProxySelector

    init(_ selector: ProxySelector) {
        self.selector = selector
    }

    func select(host: String, port: UInt16) throws -> [PinfoldBindings.ProxyRoute] {
        do {
            return try selector.select(host, port).map { route in
                switch route {
                case .direct: .direct
                case .via(let proxy): .via(proxy: proxy.bindings)
                }
            }
        } catch {
            // Not its description, which may hold anything.
            throw SelectionFailure.Failed(reason: "the selector threw \(type(of: error))")
        }
    }
}
