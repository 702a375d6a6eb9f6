import Foundation
import Pinfold
import Testing

/// The error that `work` throws, which has to be one of ours.
func failure<T>(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ work: () async throws -> T
) async throws -> PinfoldError {
    do {
        _ = try await work()
    } catch let error as PinfoldError {
        return error
    }
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    throw CancellationError()
}

/// Letters over and over, as the test server sends them.
func letters(_ count: Int) -> Data {
    let alphabet = UInt8(ascii: "a")...UInt8(ascii: "z")
    return Data((0..<count).map { alphabet.lowerBound + UInt8($0 % alphabet.count) })
}

/// What `/echo` answers.
struct Echo: Decodable {
    let method: String
    let path: String
    let headers: [[String]]
    let body_base64: Data
    let connection: Int
    let resumed: Bool

    init(_ response: Response) throws {
        self = try JSONDecoder().decode(Self.self, from: response.body)
    }

    func header(_ name: String) -> String? {
        headers.first { $0.first?.lowercased() == name }?.last
    }
}
