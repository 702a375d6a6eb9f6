import Foundation
import Pinfold

#if DEBUG
    // The servers of the script `serve`, which release builds do not know the way to. A simulator is
    // on the network of its Mac.

    extension PinSetUpdater.Configuration {
        /// Gets updates from there.
        ///
        /// - Parameters:
        ///   - address: What `serve` has written into serve.txt; empty if it was not running.
        ///   - authority: Who has issued its certificate, in DER.
        mutating func useServe(at address: String, authority: Data) {
            roots = .only([authority])
            connectTo = .serve(["pins"], at: address)
        }
    }

    extension PinnedClient.Configuration {
        /// Leads api.pinfold.test and other.pinfold.test there. The pin set itself says whose
        /// certificates they have.
        ///
        /// - Parameter address: What `serve` has written into serve.txt; empty if it was not running.
        mutating func useServe(at address: String) {
            connectTo = .serve(["api", "other"], at: address)
        }
    }

    extension [ConnectTo] {
        fileprivate static func serve(_ names: [String], at address: String) -> Self {
            guard !address.isEmpty else { return [] }
            return names.map { ConnectTo(host: "\($0).pinfold.test", address: address) }
        }
    }
#endif
