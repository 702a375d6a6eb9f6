#if canImport(Security)
    import Foundation
    import Security

    /// Has the sessions of an app that keeps `URLSession` decide as ``PinnedClient`` does.
    ///
    /// ```swift
    /// let pinning = URLSessionPinning(client: client)
    /// let session = URLSession(configuration: .default, delegate: pinning, delegateQueue: nil)
    /// do {
    ///     let (data, _) = try await session.data(from: url)
    ///     show(String(decoding: data, as: UTF8.self))
    /// } catch {
    ///     report("\(pinning.cause(of: error))")
    /// }
    /// ```
    ///
    /// It has to be the session's delegate: as a task's it pins nothing, because a connection belongs
    /// to the session, and any task may open it. An app whose sessions have a delegate of their own
    /// calls ``answer(_:completionHandler:)`` from there, and ``follows(_:to:task:)`` for redirects.
    ///
    /// A connection that the client would refuse is closed before a byte of a request has left.
    /// Whatever cannot be judged is refused as well. Where the client relies on the system's
    /// authorities, the system has the last word, as if there were no delegate: so this never allows
    /// what was forbidden without it. For other authorities (``Trust/privateCa``,
    /// ``PinnedClient/Configuration/roots``) and for ``Trust/pinOnly``, App Transport Security wants
    /// `NSExceptionAllowsInsecureHTTPLoads` for the host in Info.plist.
    ///
    /// Over HTTP/2 a session uses a connection for every name of its certificate, and asks for the
    /// first alone. So the certificate has to be right for each of its names that the pin set has an
    /// entry for.
    ///
    /// A session asks for new connections alone. After each ``UpdateEvent/updated(_:)`` end it by
    /// `invalidateAndCancel()` and make a new one. TLS sessions may be resumed all the same, without a
    /// question, also some that an unpinned session of the app has made. ``PinnedClient`` has no
    /// such gap.
    public final class URLSessionPinning: NSObject, URLSessionTaskDelegate, Sendable {
        private let decisions: SessionDecisions

        /// A delegate.
        ///
        /// - Parameters:
        ///   - client: Who decides. It holds for hosts without an entry, too: refused unless its
        ///     configuration says otherwise.
        ///   - onDecision: Is told of every decision, also of what an entry with
        ///     ``Mode/reportOnly`` allows. Called on any thread.
        public init(
            client: PinnedClient,
            onDecision: (@Sendable (Explanation) -> Void)? = nil
        ) {
            decisions = SessionDecisions(client, onDecision: onDecision)
        }

        /// Answers an authentication challenge: for a server's certificate with the decision, for
        /// any other with what the system does by itself.
        ///
        /// - Parameters:
        ///   - challenge: The challenge.
        ///   - completionHandler: What the delegate's method got. Is called on any thread.
        public func answer(
            _ challenge: URLAuthenticationChallenge,
            completionHandler: @escaping @Sendable (
                URLSession.AuthChallengeDisposition, URLCredential?
            ) -> Void
        ) {
            let space = challenge.protectionSpace
            guard space.authenticationMethod == NSURLAuthenticationMethodServerTrust else {
                return completionHandler(.performDefaultHandling, nil)
            }
            let (host, isProxy) = (space.host, space.isProxy())
            let server = ServerTrust(trust: space.serverTrust)
            // It may ask the network, so not on the delegate's queue, nor on Swift's few threads.
            DispatchQueue.global(qos: .userInitiated).async { [decisions] in
                let chain = server.chain
                Task {
                    switch await decisions.answer(host: host, isProxy: isProxy, chain: chain) {
                    case .use: completionHandler(.useCredential, server.credential)
                    case .useIfTrusted: completionHandler(.performDefaultHandling, nil)
                    case .refuse: completionHandler(.cancelAuthenticationChallenge, nil)
                    }
                }
            }
        }

        /// Whether a redirect may be followed: not from HTTPS to anything else.
        ///
        /// - Parameters:
        ///   - response: The redirect.
        ///   - request: What would come next.
        ///   - task: The task, so that ``cause(of:task:)`` takes it for no other's.
        /// - Returns: Whether it may. If not, cancel the task.
        public func follows(
            _ response: HTTPURLResponse,
            to request: URLRequest,
            task: URLSessionTask? = nil
        ) -> Bool {
            decisions.follows(from: response.url, to: request.url, task: task?.taskIdentifier)
        }

        /// Why a connection was refused, where that is behind an error of a session, which says
        /// "cancelled" for all of them.
        ///
        /// - Parameters:
        ///   - error: What the session or the task reports.
        ///   - task: The task, where it is known.
        /// - Returns: The ``PinfoldError`` of the latest refusal for the error's host within the last
        ///   30 seconds, or else the error itself.
        public func cause(of error: any Error, task: URLSessionTask? = nil) -> any Error {
            let url = (task?.currentRequest ?? task?.originalRequest)?.url
            return decisions.cause(of: error, at: url, task: task?.taskIdentifier)
        }

        /// Calls ``answer(_:completionHandler:)``.
        public func urlSession(
            _ session: URLSession,
            didReceive challenge: URLAuthenticationChallenge,
            completionHandler: @escaping @Sendable (
                URLSession.AuthChallengeDisposition, URLCredential?
            ) -> Void
        ) {
            answer(challenge, completionHandler: completionHandler)
        }

        /// Calls ``answer(_:completionHandler:)``. Only sessions whose delegate has no method of their
        /// own for it call this; a task's delegate alone pins nothing.
        public func urlSession(
            _ session: URLSession,
            task: URLSessionTask,
            didReceive challenge: URLAuthenticationChallenge,
            completionHandler: @escaping @Sendable (
                URLSession.AuthChallengeDisposition, URLCredential?
            ) -> Void
        ) {
            answer(challenge, completionHandler: completionHandler)
        }

        /// Cancels the task where ``follows(_:to:task:)`` says no.
        public func urlSession(
            _ session: URLSession,
            task: URLSessionTask,
            willPerformHTTPRedirection response: HTTPURLResponse,
            newRequest request: URLRequest,
            completionHandler: @escaping @Sendable (URLRequest?) -> Void
        ) {
            if follows(response, to: request, task: task) { return completionHandler(request) }
            task.cancel()
            completionHandler(nil)
        }
    }

    /// A trust object of the system's, which one thread after the other uses.
    private struct ServerTrust: @unchecked Sendable {
        let trust: SecTrust?

        /// The path that the system finds, the end-entity first. Whether it is trusted is not asked
        /// here: the decision does so, and after it the system itself.
        var chain: [Data] {
            guard let trust else { return [] }
            _ = SecTrustEvaluateWithError(trust, nil)
            let certificates = SecTrustCopyCertificateChain(trust) as? [SecCertificate] ?? []
            return certificates.map { SecCertificateCopyData($0) as Data }
        }

        var credential: URLCredential? { trust.map { URLCredential(trust: $0) } }
    }
#endif
