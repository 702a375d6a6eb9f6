import Testing

/// Something wrong, and the place that its error has to name. Test reports get the place only: some
/// of it is a megabyte long.
struct Wrong<Value: Sendable>: Sendable, CustomTestStringConvertible {
    let value: Value
    let place: String

    var testDescription: String { place }

    init(_ value: Value, _ place: String) {
        self.value = value
        self.place = place
    }
}

/// A megabyte of text.
let huge = String(repeating: "a", count: 1 << 20)
