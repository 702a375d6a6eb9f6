import Foundation
import Pinfold

#if DEBUG
    // The servers of the script `serve`, which release builds do not know the way to. A simulator is
    // on the network of its Mac.

    extension PinSetUpdater.Configuration {
        /// Gets updates from there.
        ///
        /// - Parameter authority: Who has issued its certificate, in DER.
        mutating func useServe(authority: Data) {
            roots = .only([authority])
            connectTo = [.serve("pins")]
        }
    }

    extension PinnedClient.Configuration {
        /// Leads api.pinfold.test and other.pinfold.test there. The pin set itself says whose
        /// certificates they have.
        mutating func useServe() {
            connectTo = [.serve("api"), .serve("other")]
        }
    }

    extension ConnectTo {
        fileprivate static func serve(_ name: String) -> Self {
            ConnectTo(host: "\(name).pinfold.test", address: "127.0.0.1:8443")
        }
    }
#endif
