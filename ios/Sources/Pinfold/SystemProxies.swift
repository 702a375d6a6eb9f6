#if canImport(CFNetwork)
    import CFNetwork
    import Foundation

    /// Why the system's settings name no way that can be gone.
    enum SystemProxiesError: Error {
        case noAnswer
        case pacFailed
    }

    extension ProxySelector {
        /// What the system's settings say, PAC files included.
        static func system(_ credentials: ProxyCredentials?) -> ProxySelector {
            ProxySelector { host, port in
                let authority = host.contains(":") ? "[\(host)]" : host
                guard let url = URL(string: "https://\(authority):\(port)/"),
                    let settings = CFNetworkCopySystemProxySettings()?.takeRetainedValue()
                else { throw SystemProxiesError.noAnswer }
                let found = CFNetworkCopyProxiesForURL(url as CFURL, settings).takeRetainedValue()
                return try routes(found as? [[String: Any]] ?? [], url, credentials, depth: 0)
            }
        }

        private static func routes(
            _ proxies: [[String: Any]], _ url: URL, _ credentials: ProxyCredentials?, depth: Int
        ) throws -> [ProxyRoute] {
            try proxies.flatMap { proxy -> [ProxyRoute] in
                let kind = proxy[kCFProxyTypeKey as String] as? String ?? ""
                if kind == kCFProxyTypeNone as String { return [.direct] }
                if kind == kCFProxyTypeAutoConfigurationURL as String, depth == 0 {
                    let key = kCFProxyAutoConfigurationURLKey as String
                    guard let script = proxy[key] as? URL else {
                        throw SystemProxiesError.pacFailed
                    }
                    let answer = try Evaluation.run(script, url)
                    return try routes(answer, url, credentials, depth: 1)
                }
                guard let host = proxy[kCFProxyHostNameKey as String] as? String,
                    let number = proxy[kCFProxyPortNumberKey as String] as? Int,
                    let port = UInt16(exactly: number)
                else { throw SystemProxiesError.noAnswer }
                let isSocks = kind == kCFProxyTypeSOCKS as String
                let scheme: Proxy.Scheme = isSocks ? .socks5h : .http
                return [
                    .via(Proxy(scheme: scheme, host: host, port: port, credentials: credentials))
                ]
            }
        }
    }

    /// Has the system evaluate a PAC file on this thread, which Pinfold gives up where it hangs.
    private final class Evaluation {
        private var answer: [[String: Any]]?

        static func run(_ script: URL, _ url: URL) throws -> [[String: Any]] {
            let evaluation = Evaluation()
            var context = CFStreamClientContext()
            context.info = Unmanaged.passUnretained(evaluation).toOpaque()
            let done: CFProxyAutoConfigurationResultCallback = { info, proxies, _ in
                Unmanaged<Evaluation>.fromOpaque(info).takeUnretainedValue().answer =
                    proxies as? [[String: Any]] ?? []
                CFRunLoopStop(CFRunLoopGetCurrent())
            }
            let source = CFNetworkExecuteProxyAutoConfigurationURL(
                script as CFURL, url as CFURL, done, &context
            ).takeRetainedValue()
            CFRunLoopAddSource(CFRunLoopGetCurrent(), source, .defaultMode)
            CFRunLoopRunInMode(.defaultMode, 10, false)
            CFRunLoopSourceInvalidate(source)
            guard let answer = evaluation.answer, !answer.isEmpty else {
                throw SystemProxiesError.pacFailed
            }
            return answer
        }
    }
#endif
