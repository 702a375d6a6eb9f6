import Foundation
internal import PinfoldBindings

/// The authorities behind ``Trust/systemAndPin``.
public enum Roots: Hashable, Sendable {
    /// The operating system's.
    case system
    /// Mozilla's, as compiled in.
    case bundled
    /// These certificates, in DER, and no others.
    case only([Data])
}

/// An address to use instead of looking a name up, as curl's `--connect-to` does: for staging
/// servers and tests. Trust, host name and pins are judged as ever.
public struct ConnectTo: Hashable, Sendable {
    /// The name in the URL.
    public var host: String
    /// The port in the URL, 443 where it has none.
    public var port: UInt16
    /// Where to connect, as `IP:PORT`, such as `192.0.2.7:8443` or `[2001:db8::7]:443`.
    public var address: String

    /// Leads `host` and `port` to `address`.
    ///
    /// - Parameters:
    ///   - host: The name in the URL.
    ///   - port: The port in the URL.
    ///   - address: Where to connect, as `IP:PORT`.
    public init(host: String, port: UInt16 = 443, address: String) {
        self.host = host
        self.port = port
        self.address = address
    }
}

extension PinnedClient {
    /// What a client can be told.
    ///
    /// ```swift
    /// var configuration = PinnedClient.Configuration()
    /// configuration.timeout = 10
    /// ```
    ///
    /// Values are checked by ``PinnedClient/init(pins:configuration:)`` and
    /// ``PinnedClient/init(updater:configuration:)``.
    public struct Configuration: Hashable, Sendable {
        /// Whether hosts without a policy are refused; they are by default, so that a forgotten
        /// entry is an error on the first request and not a host without pins. With `false` such
        /// hosts get the system's trust alone.
        public var denyUnpinned = true
        /// Whether requests in flight end with ``PinfoldError/pinMismatch(_:message:)`` when a new
        /// pin set withdraws the pin of their connection. By default they end under the old one;
        /// later requests never use such a connection, either way.
        public var abortWithdrawn = false
        /// The authorities behind ``Trust/systemAndPin``; the system's by default.
        public var roots = Roots.system
        /// For name lookup, TCP and TLS together, in seconds: up to 24 hours, 10 s by default.
        public var connectTimeout: TimeInterval = 10
        /// For the next bytes of an answer once the request is sent, in seconds: up to 24 hours, 0 for
        /// none, 10 s by default. ``Request/readTimeout`` overrides it.
        public var readTimeout: TimeInterval = 10
        /// For a whole call with redirects and the body, in seconds: up to 24 hours, 30 s by
        /// default. ``Request/timeout`` overrides it.
        public var timeout: TimeInterval = 30
        /// The largest body accepted, in bytes after gzip: from 1 to 1 GiB, 16 MiB by default.
        public var maxResponseBytes = 16 << 20
        /// How many redirects are followed, each hop judged by its own host's policy: up to 50,
        /// 10 by default. With 0 a redirect is a response like others.
        public var maxRedirects = 10
        /// How many connections are kept for later requests, whatever their hosts: up to 1,000, 64 by
        /// default. They are closed after a minute.
        public var maxIdleConnections = 64
        /// How many requests may be under way: from 1 to 10,000, 256 by default. Others wait for
        /// their turn, within their timeout.
        public var maxRequests = 256
        /// How many of them may be to one host: from 1 to 10,000, 128 by default.
        public var maxRequestsPerHost = 128
        /// The `User-Agent` header, at most 256 characters; `pinfold/VERSION` by default.
        public var userAgent: String?
        /// What relative URLs begin with (RFC 3986 §5), as in `client.get("v1/me")`: an absolute URL whose
        /// path ends with a slash, without a query. None by default, and every URL is absolute.
        public var baseURL: String?
        /// The headers of every request that has none of their names itself. Sensitive ones,
        /// `Authorization` and `Cookie` among them, go to the server of ``baseURL`` and to nobody else.
        public var defaultHeaders: [Header] = []
        /// Where the client's own cookies are kept; by default none are, and those that come are headers
        /// like others. Its sessions have jars of their own.
        public var cookies: CookieJar?
        /// Who gives the tokens of requests to the server of ``baseURL``; nobody by default.
        public var authenticator: Authenticator?
        /// Who is told what happens to each call; nobody by default.
        public var listener: CallListener?
        /// Who finds the addresses of hosts, in the place of the system; ``connectTo`` counts before.
        public var resolver: Resolver?
        /// For the wait for its turn, of each request, in seconds: up to 24 hours, 0 for none, none by
        /// default.
        public var queueTimeout: TimeInterval = 0
        /// For the lookup of a name, within ``connectTimeout``, in seconds: up to 24 hours, 0 for none,
        /// none by default.
        public var lookupTimeout: TimeInterval = 0
        /// For the TLS handshake with one address, the judgement of the certificate included, within
        /// ``connectTimeout``, in seconds: up to 24 hours, 0 for none, none by default.
        public var tlsTimeout: TimeInterval = 0
        /// For the first byte of an answer once the request is sent, in the place of ``readTimeout``, which
        /// holds for those that follow, in seconds: up to 24 hours, 0 for none, none by default.
        public var firstByteTimeout: TimeInterval = 0
        /// How often a request is sent again that failed for a moment, or that a server could not answer
        /// for now (408, 429, 502, 503 and 504): up to 20, never by default.
        ///
        /// A request of which nothing was sent is whatever its method is; others only where their method is
        /// idempotent, such as GET, PUT and DELETE, and their body can begin again. A server's
        /// `Retry-After` is waited for. All of it happens within ``timeout``: what cannot be had until then
        /// is not waited for. All requests of a client and its sessions share a budget, so that they send
        /// little more when everything fails.
        public var retries = 0
        /// Addresses to use instead of looking names up; none by default.
        public var connectTo: [ConnectTo] = []
        /// Where proxies come from; the system's by default.
        public var proxies = Proxies.system()

        /// The defaults.
        public init() {}
    }
}

extension PinnedClient.Configuration {
    func settings() throws(PinfoldError) -> ClientSettings {
        func fail(_ place: String, _ reason: String) -> PinfoldError {
            .invalidConfig(place: place, message: "setting \(place): \(reason)")
        }
        guard let connectTimeoutMs = Crossing.milliseconds(connectTimeout) else {
            throw fail("connect_timeout", "not between 1 ms and 24 hours")
        }
        guard let timeoutMs = Crossing.milliseconds(timeout) else {
            throw fail("timeout", "not between 1 ms and 24 hours")
        }
        guard let readTimeoutMs = Crossing.milliseconds(readTimeout) else {
            throw fail("read_timeout", "not between 0 and 24 hours")
        }
        func optional(_ place: String, _ time: TimeInterval) throws(PinfoldError) -> UInt64 {
            guard let ms = Crossing.milliseconds(time) else {
                throw fail(place, "not between 0 and 24 hours")
            }
            return ms
        }
        guard let retries = UInt32(exactly: retries) else {
            throw fail("retries", "not between 0 and 20")
        }
        guard (0...Crossing.maxBytes).contains(maxResponseBytes) else {
            throw fail("max_response_bytes", "not between 1 and \(Crossing.maxBytes)")
        }
        guard let maxRedirects = UInt32(exactly: maxRedirects) else {
            throw fail("max_redirects", "not between 0 and 50")
        }
        guard let maxIdleConnections = UInt32(exactly: maxIdleConnections) else {
            throw fail("max_idle_connections", "not between 0 and 1,000")
        }
        guard let maxRequests = UInt32(exactly: maxRequests) else {
            throw fail("max_requests", "not between 1 and 10,000")
        }
        guard let maxRequestsPerHost = UInt32(exactly: maxRequestsPerHost) else {
            throw fail("max_requests_per_host", "not between 1 and 10,000")
        }
        guard Crossing.allows(size) else {
            throw fail("roots", "too large together with the texts, headers, addresses and proxies")
        }
        return ClientSettings(
            denyUnpinned: denyUnpinned,
            abortWithdrawn: abortWithdrawn,
            roots: roots.bindings,
            connectTimeoutMs: connectTimeoutMs,
            readTimeoutMs: readTimeoutMs,
            timeoutMs: timeoutMs,
            queueTimeoutMs: try optional("queue_timeout", queueTimeout),
            lookupTimeoutMs: try optional("lookup_timeout", lookupTimeout),
            tlsTimeoutMs: try optional("tls_timeout", tlsTimeout),
            firstByteTimeoutMs: try optional("first_byte_timeout", firstByteTimeout),
            retries: retries,
            maxResponseBytes: UInt64(maxResponseBytes),
            maxRedirects: maxRedirects,
            maxIdleConnections: maxIdleConnections,
            maxRequests: maxRequests,
            maxRequestsPerHost: maxRequestsPerHost,
            userAgent: userAgent,
            baseUrl: baseURL,
            own: own.settings,
            listener: listener.map(CallEvents.init),
            resolver: resolver.map(Names.init),
            connectTo: connectTo.map(\.bindings),
            proxies: proxies.bindings
        )
    }

    private var own: PinnedClient.SessionConfiguration {
        var own = PinnedClient.SessionConfiguration()
        (own.defaultHeaders, own.cookies, own.authenticator) = (
            defaultHeaders, cookies, authenticator
        )
        return own
    }

    private var size: Int {
        let texts = [userAgent, baseURL].map { $0?.utf8.count ?? 0 }
        return texts.reduce(roots.size + connectTo.size + proxies.size + own.size, +)
    }
}

extension ConnectTo {
    var bindings: PinfoldBindings.ConnectTo { .init(host: host, port: port, address: address) }
}

extension [ConnectTo] {
    var size: Int { map { $0.host.utf8.count + $0.address.utf8.count }.reduce(0, +) }
}

extension Roots {
    var bindings: PinfoldBindings.Roots {
        switch self {
        case .system: .system
        case .bundled: .bundled
        case .only(let certificates): .only(certificates: certificates)
        }
    }

    var size: Int {
        switch self {
        case .system, .bundled: 0
        case .only(let certificates): certificates.map(\.count).reduce(0, +)
        }
    }
}
