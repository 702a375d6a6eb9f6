import Foundation
import Pinfold

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A private PKI and hostile servers, in a process of their own that ends with this object or with
/// the tests, whichever is first: it runs for as long as its input is open.
final class Testkit: Sendable {
    static let host = "api.example.test"

    /// Keys by the name of their certificate.
    let pins: [String: String]
    private let certificates: [String: Data]
    private let identities: [String: String]
    private let ports: [String: UInt16]
    private let control: String
    private let input: Pipe

    init() async throws {
        input = Pipe()
        let output = Pipe()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.path)
        process.standardInput = input
        process.standardOutput = output
        try process.run()

        struct Hello: Decodable { let control: String }
        let hello = try JSONDecoder().decode(
            Hello.self, from: Self.firstLine(of: output.fileHandleForReading))
        control = hello.control

        struct Info: Decodable {
            let servers: [String: UInt16]
            let certificates: [String: Data]
            let pins: [String: String]
            let identities: [String: String]
        }
        let info: Info = try await Self.call("GET", control + "/info")
        ports = info.servers
        certificates = info.certificates
        pins = info.pins
        identities = info.identities
    }

    deinit {
        try? input.fileHandleForWriting.close()
    }

    /// `IP:PORT` of a server.
    func address(_ server: String) throws -> String {
        "127.0.0.1:\(try find(server, in: ports))"
    }

    func certificate(_ name: String) throws -> Data {
        try find(name, in: certificates)
    }

    /// The certificates and the key of a client, in PEM.
    func identity(_ name: String) throws -> Data {
        Data(try find(name, in: identities).utf8)
    }

    /// Certificates in the order given.
    func chain(_ names: String...) throws -> [Data] {
        try names.map(certificate)
    }

    func pin(_ name: String) throws -> String {
        try find(name, in: pins)
    }

    /// A policy for the host that every certificate is for, with the pin of `backend` unless it is
    /// told otherwise, and always the backup pin.
    func policy(
        _ key: String = "backend",
        at position: PinAt = .any,
        mode: Mode = .enforce
    ) throws -> HostPolicy {
        HostPolicy(
            host: Self.host,
            pins: [Pin(try pin(key), at: position), Pin(try pin("backup"), state: .backup)],
            mode: mode
        )
    }

    /// What leads the host to a server, and trusts the two roots that the servers' system is meant
    /// to trust.
    func configuration(_ server: String) throws -> PinnedClient.Configuration {
        var configuration = PinnedClient.Configuration()
        configuration.roots = .only([try certificate("root"), try certificate("other_root")])
        configuration.connectTo = [ConnectTo(host: Self.host, address: try address(server))]
        // Servers that hang do so until they are cancelled, however busy the machine is.
        configuration.readTimeout = 0
        return configuration
    }

    /// A client for a server, with the standard policy unless it is told otherwise.
    func client(
        _ server: String = "backend",
        _ policies: HostPolicy...,
        configure: (inout PinnedClient.Configuration) -> Void = { _ in }
    ) throws -> PinnedClient {
        var configuration = try configuration(server)
        configure(&configuration)
        let pins = try PinSet(hosts: policies.isEmpty ? [policy()] : policies, version: 7)
        return try PinnedClient(pins: pins, configuration: configuration)
    }

    /// The events of a server, once there are `count` of the kind.
    func wait(_ server: String, for kind: String, count: Int = 1) async throws -> [Event] {
        let query = "server=\(server)&event=\(kind)&count=\(count)&timeout_ms=50000"
        return try await Self.call("GET", "\(control)/wait?\(query)")
    }

    func events(_ server: String) async throws -> [Event] {
        try await Self.call("GET", "\(control)/events?server=\(server)")
    }

    func dropConnections(_ server: String) async throws {
        _ = try await call("POST", "drop?server=\(server)")
    }

    func present(_ server: String, _ chain: String) async throws {
        _ = try await call("POST", "present?server=\(server)&chain=\(chain)")
    }

    private static var path: String {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let standard = folder.appendingPathComponent("../../../../target/debug/pinfold-testkit")
        return ProcessInfo.processInfo.environment["PINFOLD_TESTKIT"] ?? standard.path
    }

    private static func firstLine(of handle: FileHandle) -> Data {
        var line = Data()
        while !line.contains(UInt8(ascii: "\n")) {
            let more = handle.availableData
            if more.isEmpty { break }
            line.append(more)
        }
        return line
    }

    /// What the control API answers.
    func call(_ method: String, _ query: String, body: Data? = nil) async throws -> Data {
        try await Self.call(method, "\(control)/\(query)", body: body)
    }

    private static func call<T: Decodable>(_ method: String, _ url: String) async throws -> T {
        try JSONDecoder().decode(T.self, from: await call(method, url))
    }

    private static func call(_ method: String, _ url: String, body: Data? = nil) async throws
        -> Data
    {
        guard let address = URL(string: url) else { throw TestkitError("no URL: \(url)") }
        var request = URLRequest(url: address)
        request.httpMethod = method
        request.httpBody = body
        let (body, response) = try await URLSession.shared.data(for: request)
        guard (response as? HTTPURLResponse)?.statusCode == 200 else {
            throw TestkitError("\(url): \(String(decoding: body, as: UTF8.self))")
        }
        return body
    }

    private func find<T>(_ name: String, in all: [String: T]) throws -> T {
        guard let found = all[name] else { throw TestkitError("no \(name)") }
        return found
    }
}

/// Something a server saw.
struct Event: Decodable {
    let event: String
    let description: String?
    let method: String?
    let path: String?
    let headers: [[String]]?
    let application_bytes: Int?
}

struct TestkitError: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
