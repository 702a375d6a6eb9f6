internal import PinfoldBindings

/// Who is probably in the middle, or what else is wrong, and why that is believed.
///
/// It decides nothing: a refused connection stays refused whatever is said here, and whoever made
/// the certificate can have forged all of it. It tells the app's user what to do, and the support
/// desk the app's own rotation from the user's antivirus.
///
/// Show ``message``, or a translation of your own by the kind's code:
///
/// ```swift
/// if let report = error.interception {
///     show(translations[report.kind.code] ?? report.message)
/// }
/// ```
public struct InterceptionReport: Hashable, Sendable {
    /// What it probably is.
    public let kind: Kind
    /// How well the evidence supports that.
    public let confidence: Confidence
    /// The product, where its name was recognised: the one argument of a translation.
    public let product: String?
    /// The authority that issued the certificate, as it calls itself.
    public let authority: String?
    /// What speaks for it.
    public let evidence: [Evidence]
    /// A sentence in English for the app's user: what is wrong, and what to do.
    public let message: String
    /// What the server's owner can do about ``Kind/serverMisconfigured``: a sentence in English for
    /// the support desk, not for the user.
    public let mend: String?

    /// What is probably between the app and its server, or wrong with one of them.
    public enum Kind: String, CaseIterable, Sendable {
        /// Antivirus or parental control software on this device.
        case antivirus
        /// A network that wants a login first.
        case captivePortal = "captive_portal"
        /// A developer's proxy, such as mitmproxy or Charles.
        case debuggingProxy = "debugging_proxy"
        /// The server's certificate has expired.
        case expired
        /// A company's gateway that inspects traffic.
        case inspectionProduct = "inspection_product"
        /// An authority that the user or administrator of the device has added.
        case localAuthority = "local_authority"
        /// An authority that is trusted anyhow, with a key that is not pinned: a rotation that the
        /// pin set does not know of, or a certificate that should not exist.
        case rotatedOrMisissued = "rotated_or_misissued"
        /// The server itself: what it presents is wrong, and its owner can mend it.
        case serverMisconfigured = "server_misconfigured"
        /// Somebody whom neither the device nor Pinfold knows.
        case unknownAuthority = "unknown_authority"
        /// The device's clock is wrong.
        case wrongClock = "wrong_clock"
        /// The certificate is another host's.
        case wrongName = "wrong_name"

        /// The stable code, for logs and as the key of a translation.
        public var code: String { rawValue }
    }

    /// How well the evidence supports a kind.
    public enum Confidence: String, CaseIterable, Sendable {
        /// Nothing speaks against it, little for it.
        case possible
        /// What is usually behind such evidence.
        case likely
        /// There is no other explanation.
        case certain

        /// The stable code.
        public var code: String { rawValue }
    }

    /// One observation.
    public struct Evidence: Hashable, Sendable {
        /// The stable code, such as `self_signed`.
        public let code: String
        /// What was seen, in English.
        public let text: String
    }
}

extension InterceptionReport {
    /// Nothing for what is not of the closed sets: a test sees to it that there is none.
    init?(_ report: Interception) {
        guard
            let kind = Kind(rawValue: report.kind),
            let confidence = Confidence(rawValue: report.confidence)
        else { return nil }
        self.kind = kind
        self.confidence = confidence
        product = report.product
        authority = report.authority
        evidence = report.evidence.map { Evidence(code: $0.code, text: $0.text) }
        message = report.message
        mend = report.mend
    }
}
