import Foundation
import Testing

@testable import Pinfold

struct IdentityTests {
    let kit: Testkit
    let url = "https://api.example.test/"

    init() async throws {
        kit = try await Testkit()
    }

    func identity(_ name: String) throws -> ClientIdentity {
        try ClientIdentity(pem: kit.identity(name))
    }

    @Test("a known client is let in, and nobody and an unknown one are told by one error")
    func known() async throws {
        let client = try kit.client("client_auth")
        #expect(await failure(client)?.code == "client_certificate_refused")
        for name in ["client", "client_rsa"] {
            try client.setIdentity(identity(name), for: Testkit.host)
            #expect(try await client.get(url).text == "ok", "\(name)")
        }
        try client.setIdentity(identity("client_unknown"), for: Testkit.host)
        let error = await failure(client)
        #expect(error?.code == "client_certificate_refused")
        #expect(error?.host == Testkit.host)
        // Another host's is nobody's here.
        try client.setIdentity(nil, for: Testkit.host)
        try client.setIdentity(identity("client"), for: "example.test")
        #expect(await failure(client)?.code == "client_certificate_refused")
    }

    @Test("what a signer throws ends the call, and what it throws is not repeated")
    func signers() async throws {
        struct OfSecrets: Error {}
        struct Failing: ClientSigner {
            let algorithms = [SignatureAlgorithm.ecdsaP256Sha256]
            func sign(_ message: Data, with algorithm: SignatureAlgorithm) throws -> Data {
                #expect(algorithm == .ecdsaP256Sha256)
                throw OfSecrets()
            }
        }
        let chain = [try kit.certificate("client"), try kit.certificate("intermediate")]
        let client = try kit.client("client_auth")
        try client.setIdentity(
            ClientIdentity(chain: chain, signer: Failing()), for: Testkit.host)
        let error = await failure(client)
        #expect(error?.code == "io_failed")
        #expect(error?.place == "client_certificate")
    }

    #if os(Linux) || os(macOS)
        /// A key that only another process reads, which signs with it.
        struct OpenSSL: ClientSigner {
            let key: URL
            let algorithms = [SignatureAlgorithm.ecdsaP256Sha256]

            func sign(_ message: Data, with algorithm: SignatureAlgorithm) throws -> Data {
                let (process, input, output) = (Process(), Pipe(), Pipe())
                process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
                process.arguments = ["openssl", "dgst", "-sha256", "-sign", key.path]
                process.standardInput = input
                process.standardOutput = output
                try process.run()
                input.fileHandleForWriting.write(message)
                try input.fileHandleForWriting.close()
                process.waitUntilExit()
                return output.fileHandleForReading.readDataToEndOfFile()
            }
        }

        @Test("a key that stays elsewhere signs for the client")
        func signed() async throws {
            let key = FileManager.default.temporaryDirectory
                .appendingPathComponent("pinfold-\(UUID().uuidString).pem")
            try kit.identity("client").write(to: key)
            defer { try? FileManager.default.removeItem(at: key) }
            let chain = [try kit.certificate("client"), try kit.certificate("intermediate")]
            let client = try kit.client("client_auth")
            try client.setIdentity(
                ClientIdentity(chain: chain, signer: OpenSSL(key: key)), for: Testkit.host)
            #expect(try await client.get(url).text == "ok")
        }
    #endif

    @Test("every algorithm crosses both ways")
    func algorithms() {
        for algorithm in SignatureAlgorithm.allCases {
            #expect(SignatureAlgorithm(algorithm.bindings) == algorithm)
        }
    }

    @Test("what is no identity is told by its place")
    func input() throws {
        let pem = try kit.identity("client")
        #expect { try ClientIdentity(pem: Data()) } throws: { place($0, "identity.certificate") }
        #expect { try ClientIdentity(pem: pem, key: Data()) } throws: { place($0, "identity.key") }
        #expect {
            try ClientIdentity(pkcs12: Data(), password: "secret")
        } throws: {
            place($0, "identity.pkcs12")
        }
        #expect {
            try kit.client().setIdentity(nil, for: "a..test")
        } throws: {
            place($0, "identity")
        }
    }

    func place(_ error: any Error, _ place: String) -> Bool {
        (error as? PinfoldError)?.place == place
    }

    func failure(_ client: PinnedClient) async -> PinfoldError? {
        do {
            _ = try await client.get(url)
            return nil
        } catch {
            return error as? PinfoldError
        }
    }
}
