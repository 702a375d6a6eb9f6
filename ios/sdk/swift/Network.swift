import Dispatch

public final class NWPathMonitor: @unchecked Sendable {
    public init() {}
    public var pathUpdateHandler: (@Sendable (NWPath) -> Void)?
    public func start(queue: DispatchQueue) {}
    public func cancel() {}
}

public struct NWPath: Equatable, Sendable {
    public enum Status: Sendable { case satisfied, unsatisfied, requiresConnection }
    public let status: Status
    public let availableInterfaces: [NWInterface]
    public let gateways: [NWEndpoint]
}

public final class NWInterface: Hashable, Sendable {
    public let name: String
    init(name: String) { self.name = name }
    public static func == (lhs: NWInterface, rhs: NWInterface) -> Bool { lhs === rhs }
    public func hash(into hasher: inout Hasher) {}
}

public enum NWEndpoint: Hashable, Sendable, CustomDebugStringConvertible {
    case unix(path: String)
    public var debugDescription: String { "" }
}
