import Foundation

#if DEBUG
    /// For whom the app was built and signed. The app itself must not have to say so: a build
    /// setting can be wrong, and what an App Store or a tester gets is signed in another way.
    struct DebugBuild {
        /// Whether it needs no signature of Apple's to run.
        let isUnsigned: Bool
        /// The provisioning profile that is in the app; none where it came from the App Store.
        let profile: Data?

        /// Whether only developers can run it: on a simulator, or on a device that a development
        /// profile names. A profile for testers, companies or the App Store does not allow a
        /// debugger.
        var isDebuggable: Bool {
            isUnoptimized && (isUnsigned || allowsDebugger)
        }

        /// Optimised code is no debug build, whatever its settings say.
        private var isUnoptimized: Bool {
            var isEvaluated = false
            assert(
                {
                    isEvaluated = true
                    return true
                }())
            return isEvaluated
        }

        private var allowsDebugger: Bool {
            // A signed message (RFC 5652) around a property list. iOS has checked the signature
            // when the app was installed.
            guard let profile,
                let begin = profile.range(of: Data("<?xml".utf8)),
                let end = profile.range(
                    of: Data("</plist>".utf8), in: begin.lowerBound..<profile.endIndex)
            else { return false }
            let text = Data(profile[begin.lowerBound..<end.upperBound])
            let list = try? PropertyListSerialization.propertyList(from: text, format: nil)
            let entitlements = (list as? [String: Any])?["Entitlements"] as? [String: Any]
            return entitlements?["get-task-allow"] as? Bool == true
        }

        #if !(targetEnvironment(simulator) || os(macOS) || os(Linux))
            static var current: DebugBuild {
                let file = Bundle.main.url(
                    forResource: "embedded", withExtension: "mobileprovision")
                return DebugBuild(
                    isUnsigned: false, profile: file.flatMap { try? Data(contentsOf: $0) })
            }
        #else
            /// A simulator, a Mac or Linux: there are no profiles, so the build alone decides.
            static var current: DebugBuild { DebugBuild(isUnsigned: true, profile: nil) }
        #endif
    }
#endif
