import Foundation

public typealias CFString = String
public typealias CFURL = URL
public typealias CFArray = NSArray
public typealias CFDictionary = NSDictionary

public final class CFError {}
public final class CFRunLoop {}
public final class CFRunLoopSource {}

public struct CFRunLoopMode: Sendable {
    public static let defaultMode = CFRunLoopMode()
}

public struct CFStreamClientContext {
    public init() {}
    public var info: UnsafeMutableRawPointer?
}

public typealias CFProxyAutoConfigurationResultCallback = (
    UnsafeMutableRawPointer, CFArray, CFError?
) -> Void

public let kCFProxyTypeKey: CFString = ""
public let kCFProxyTypeNone: CFString = ""
public let kCFProxyTypeSOCKS: CFString = ""
public let kCFProxyTypeAutoConfigurationURL: CFString = ""
public let kCFProxyAutoConfigurationURLKey: CFString = ""
public let kCFProxyHostNameKey: CFString = ""
public let kCFProxyPortNumberKey: CFString = ""

public func CFNetworkCopySystemProxySettings() -> Unmanaged<CFDictionary>? { nil }
public func CFNetworkCopyProxiesForURL(
    _ url: CFURL, _ settings: CFDictionary
) -> Unmanaged<CFArray> { .passRetained([]) }
public func CFNetworkExecuteProxyAutoConfigurationURL(
    _ script: CFURL, _ url: CFURL, _ done: @escaping CFProxyAutoConfigurationResultCallback,
    _ context: UnsafeMutablePointer<CFStreamClientContext>
) -> Unmanaged<CFRunLoopSource> { .passRetained(CFRunLoopSource()) }
public func CFRunLoopGetCurrent() -> CFRunLoop { CFRunLoop() }
public func CFRunLoopStop(_ loop: CFRunLoop) {}
public func CFRunLoopAddSource(
    _ loop: CFRunLoop, _ source: CFRunLoopSource, _ mode: CFRunLoopMode
) {}
@discardableResult
public func CFRunLoopRunInMode(
    _ mode: CFRunLoopMode, _ seconds: Double, _ once: Bool
) -> Int32 { 0 }
public func CFRunLoopSourceInvalidate(_ source: CFRunLoopSource) {}
