import Foundation

// Requests and responses end up in logs. Header values, queries, credentials and bodies must not,
// by whichever way they are printed: `print`, string interpolation, `dump` or a debugger.

extension Header: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name without the value.
    public var description: String { name }

    /// The name without the value.
    public var debugDescription: String { description }

    /// The name without the value.
    public var customMirror: Mirror {
        Mirror(self, children: ["name": name, "isSensitive": isSensitive])
    }
}

extension Request: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The method, the URL without query, the names of headers, and the size of the body.
    public var description: String {
        "\(method.rawValue) \(withoutSecrets(url)) \(contents(headers, body))"
    }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// The same as ``description``.
    public var customMirror: Mirror { Mirror(self, children: ["summary": description]) }
}

extension Response: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The status, the URL without query, the names of headers, the size of the body, and what was
    /// decided about the certificate.
    public var description: String {
        "\(status) \(withoutSecrets(url)) \(contents(headers, body)) \(pinning)"
    }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// The same as ``description``.
    public var customMirror: Mirror { Mirror(self, children: ["summary": description]) }
}

private func contents(_ headers: [Header], _ body: Data?) -> String {
    let names = headers.map(\.name).joined(separator: ", ")
    return "[\(names)] \(body.map { "\($0.count) bytes" } ?? "no body")"
}

/// What comes before query and fragment, without what could be credentials, at most 100 characters.
/// It may not even be a URL, so this goes by the text alone.
private func withoutSecrets(_ url: String) -> String {
    let text = url.prefix { $0 != "?" && $0 != "#" }
    guard let at = text.lastIndex(of: "@") else { return String(text.prefix(100)) }
    let scheme = text.range(of: "://").map { text[..<$0.upperBound] } ?? ""
    return String("\(scheme)\(text[text.index(after: at)...])".prefix(100))
}
