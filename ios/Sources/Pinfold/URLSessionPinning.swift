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
    /// An app whose sessions have a delegate of their own calls
    /// ``answer(_:completionHandler:)`` from there, and ``follows(_:to:)`` for redirects.
    ///
    /// A connection that the client would refuse is closed before a byte of a request has left.
    /// Whatever cannot be judged is refused as well. Where the client relies on the system's
    /// authorities, the system has the last word, as if there were no delegate: so this never allows
    /// what was forbidden without it. For authorities and pins of an entry's own App Transport
    /// Security wants an exception in Info.plist.
    ///
    /// A session asks for new connections alone. After a pin was withdrawn, make a new session: what
    /// the old one has open, and TLS sessions that it resumes, it uses without asking. ``PinnedClient``
    /// does not have that gap.
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
        /// - Returns: Whether it may.
        public func follows(_ response: HTTPURLResponse, to request: URLRequest) -> Bool {
            decisions.follows(from: response.url, to: request.url)
        }

        /// Why a connection was refused, where that is behind an error of a session, which says
        /// "cancelled" for all of them.
        ///
        /// - Parameters:
        ///   - error: What the session or the task reports.
        ///   - task: The task, where it is known.
        /// - Returns: The ``PinfoldError`` of the latest refusal for the error's host, or else the
        ///   error itself.
        public func cause(of error: any Error, task: URLSessionTask? = nil) -> any Error {
            decisions.cause(of: error, at: (task?.currentRequest ?? task?.originalRequest)?.url)
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

        /// Calls ``answer(_:completionHandler:)``: a task may have this as a delegate of its own.
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

        /// Cancels the task where ``follows(_:to:)`` says no.
        public func urlSession(
            _ session: URLSession,
            task: URLSessionTask,
            willPerformHTTPRedirection response: HTTPURLResponse,
            newRequest request: URLRequest,
            completionHandler: @escaping @Sendable (URLRequest?) -> Void
        ) {
            if follows(response, to: request) { return completionHandler(request) }
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
