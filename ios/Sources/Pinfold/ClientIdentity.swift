import Foundation
internal import PinfoldBindings

/// A certificate of the app's own with its key, for servers that ask for one (mutual TLS). It is given to
/// one host by ``PinnedClient/setIdentity(_:for:)``, and no other host or proxy is ever shown it.
public final class ClientIdentity: Sendable {
    let bindings: PinfoldBindings.ClientIdentity

    /// Reads PEM: the certificates, the app's own first, and an unencrypted private key (PKCS#8, SEC1 or
    /// PKCS#1), which may be in the same file.
    ///
    /// - Throws: ``PinfoldError/invalidConfig(place:message:)`` for `identity.certificate` or
    ///   `identity.key`.
    public init(pem certificates: Data, key: Data? = nil) throws(PinfoldError) {
        bindings = try PinfoldError.translating {
            try .fromPem(certificates: certificates, key: key ?? certificates)
        }
    }

    /// Reads a PKCS#12 store with one private key, in a library that was built with the feature `pkcs12`.
    ///
    /// - Throws: ``PinfoldError/invalidConfig(place:message:)`` for `identity.pkcs12`.
    public init(pkcs12 store: Data, password: String) throws(PinfoldError) {
        bindings = try PinfoldError.translating {
            try .fromPkcs12(store: store, password: password)
        }
    }

    /// Certificates whose key is wherever `signer` has it.
    ///
    /// - Parameters:
    ///   - chain: In DER, the app's own first.
    ///   - signer: Who signs.
    /// - Throws: ``PinfoldError/invalidConfig(place:message:)`` for `identity.certificate`.
    public init(chain: [Data], signer: any ClientSigner) throws(PinfoldError) {
        bindings = try PinfoldError.translating {
            try .withSigner(chain: chain, signer: Signing(signer))
        }
    }
}

/// Signs with a key that never leaves its place, such as the Secure Enclave.
public protocol ClientSigner: Sendable {
    /// What it signs with, the best first; those count that fit the certificate's key and the server.
    var algorithms: [SignatureAlgorithm] { get }

    /// Signs `message`, which it hashes itself. ECDSA's signature is in DER (RFC 3279 §2.2.3). Called on a
    /// thread of Pinfold's in the midst of a handshake, and waited for as long as
    /// ``PinnedClient/Configuration/connectTimeout``. To throw ends the call with
    /// ``PinfoldError/ioFailed(place:message:)`` for `client_certificate`.
    func sign(_ message: Data, with algorithm: SignatureAlgorithm) throws -> Data
}

/// An algorithm of signatures in TLS (RFC 8446 §4.2.3).
public enum SignatureAlgorithm: Hashable, Sendable, CaseIterable {
    /// ECDSA by a key on P-256, with SHA-256.
    case ecdsaP256Sha256
    /// ECDSA by a key on P-384, with SHA-384.
    case ecdsaP384Sha384
    /// ECDSA by a key on P-521, with SHA-512.
    case ecdsaP521Sha512
    /// Ed25519.
    case ed25519
    /// RSASSA-PSS with SHA-256, and a salt of 32 bytes.
    case rsaPssSha256
    /// RSASSA-PSS with SHA-384, and a salt of 48 bytes.
    case rsaPssSha384
    /// RSASSA-PSS with SHA-512, and a salt of 64 bytes.
    case rsaPssSha512
    /// RSASSA-PKCS1-v1_5 with SHA-256: in TLS 1.2 alone.
    case rsaPkcs1Sha256
    /// RSASSA-PKCS1-v1_5 with SHA-384: in TLS 1.2 alone.
    case rsaPkcs1Sha384
    /// RSASSA-PKCS1-v1_5 with SHA-512: in TLS 1.2 alone.
    case rsaPkcs1Sha512

    init(_ algorithm: PinfoldBindings.SignatureAlgorithm) {
        switch algorithm {
        case .ecdsaP256Sha256: self = .ecdsaP256Sha256
        case .ecdsaP384Sha384: self = .ecdsaP384Sha384
        case .ecdsaP521Sha512: self = .ecdsaP521Sha512
        case .ed25519: self = .ed25519
        case .rsaPssSha256: self = .rsaPssSha256
        case .rsaPssSha384: self = .rsaPssSha384
        case .rsaPssSha512: self = .rsaPssSha512
        case .rsaPkcs1Sha256: self = .rsaPkcs1Sha256
        case .rsaPkcs1Sha384: self = .rsaPkcs1Sha384
        case .rsaPkcs1Sha512: self = .rsaPkcs1Sha512
        }
    }

    var bindings: PinfoldBindings.SignatureAlgorithm {
        switch self {
        case .ecdsaP256Sha256: .ecdsaP256Sha256
        case .ecdsaP384Sha384: .ecdsaP384Sha384
        case .ecdsaP521Sha512: .ecdsaP521Sha512
        case .ed25519: .ed25519
        case .rsaPssSha256: .rsaPssSha256
        case .rsaPssSha384: .rsaPssSha384
        case .rsaPssSha512: .rsaPssSha512
        case .rsaPkcs1Sha256: .rsaPkcs1Sha256
        case .rsaPkcs1Sha384: .rsaPkcs1Sha384
        case .rsaPkcs1Sha512: .rsaPkcs1Sha512
        }
    }
}

/// A signer as Rust asks it.
private final class Signing: PinfoldBindings.ClientSigner {
    private let signer: any ClientSigner

    init(_ signer: any ClientSigner) {
        self.signer = signer
    }

    func algorithms() throws -> [PinfoldBindings.SignatureAlgorithm] {
        signer.algorithms.map(\.bindings)
    }

    func sign(
        algorithm: PinfoldBindings.SignatureAlgorithm, message: Data
    ) throws -> Data {
        do {
            return try signer.sign(message, with: SignatureAlgorithm(algorithm))
        } catch {
            // Not its description, which may hold anything.
            throw SigningFailure.Failed(reason: "the signer threw \(type(of: error))")
        }
    }
}
