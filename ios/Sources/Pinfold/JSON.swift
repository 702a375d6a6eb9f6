import Foundation

extension Request {
    /// Sets a value as the body, in JSON, and its `Content-Type` unless there is one.
    ///
    /// ```swift
    /// var request = Request(.post, "https://api.example.com/v1/orders")
    /// try request.json(Order(item: 7))
    /// let order = try await client.send(request).json(Order.self)
    /// ```
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - encoder: How it is written.
    /// - Throws: ``PinfoldError/invalidRequest(place:message:)`` for what has no form in JSON.
    public mutating func json(
        _ value: some Encodable,
        encoder: JSONEncoder = JSONEncoder()
    ) throws(PinfoldError) {
        do {
            body = try encoder.encode(value)
        } catch {
            // It may quote the value.
            throw .invalidRequest(
                place: "body", message: "request, body: a value that has no form in JSON")
        }
        let hasType = headers.contains { $0.name.lowercased() == "content-type" }
        if !hasType { header("Content-Type", "application/json") }
    }
}

extension Response {
    /// The body's value, read from JSON. Whatever the status is: look at ``status`` first.
    ///
    /// - Parameters:
    ///   - type: What it is.
    ///   - decoder: How it is read.
    /// - Returns: The value.
    /// - Throws: ``PinfoldError/invalidResponse(host:message:)`` says where it is not what was expected,
    ///   and nothing of the body.
    public func json<Value: Decodable>(
        _ type: Value.Type = Value.self,
        decoder: JSONDecoder = JSONDecoder()
    ) throws(PinfoldError) -> Value {
        do {
            return try decoder.decode(type, from: body)
        } catch {
            let host = URL(string: url)?.host ?? ""
            let place = Self.place(of: error)
            throw .invalidResponse(
                host: host,
                message: "\(host) sent an unusable response: its body: "
                    + "not the JSON that was expected\(place)")
        }
    }

    /// Where it is, by the names of the type. Those of a dictionary come from the body, and may be a
    /// secret.
    private static func place(of error: any Error) -> String {
        let context: DecodingError.Context? =
            switch error as? DecodingError {
            case .typeMismatch(_, let context), .valueNotFound(_, let context): context
            case .keyNotFound(let key, let context):
                .init(codingPath: context.codingPath + [key], debugDescription: "")
            default: nil
            }
        guard let path = context?.codingPath, !path.isEmpty else { return "" }
        let names = path.map { key in
            let isOfType = String(reflecting: type(of: key)).hasSuffix(".CodingKeys")
            return key.intValue.map(String.init) ?? (isOfType ? key.stringValue : "…")
        }
        return ", at " + names.joined(separator: ".")
    }
}
