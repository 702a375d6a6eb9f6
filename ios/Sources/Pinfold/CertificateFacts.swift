internal import PinfoldBindings

/// What a support desk needs to see about a refused certificate.
///
/// Nothing here is secret: pins and names of a server are public.
public struct CertificateFacts: Hashable, Sendable {
    /// The host asked for.
    public let host: String
    /// The pin set's entry that applied, or none.
    public let rule: String?
    /// The pin of the end-entity certificate that the server presented.
    public let presentedPin: String?
    /// The pins that would have been accepted.
    public let expectedPins: [String]
    /// The subject of that certificate.
    public let subject: String?
    /// Who issued it: the first thing to look at when somebody is in the middle.
    public let issuer: String?
    /// The version of the pin set, where it has one.
    public let pinSetVersion: UInt64?
    /// Who is probably in the middle, where something speaks for anybody.
    public let interception: InterceptionReport?
    /// The URL of the proxy that the connection went through, or that presented the certificate itself
    /// where it is ``host``; without user and password.
    public let proxy: String?

    init(_ failure: Failure) {
        host = failure.host ?? ""
        rule = failure.rule
        presentedPin = failure.presentedPin
        expectedPins = failure.expectedPins
        subject = failure.subject
        issuer = failure.issuer
        pinSetVersion = failure.pinSetVersion
        proxy = failure.proxy
        interception = failure.interception.flatMap(InterceptionReport.init)
    }
}
