import Foundation

#if canImport(BackgroundTasks) && !os(macOS)
    import BackgroundTasks
#endif

extension PinSetUpdater {
    /// What a background job does. Cancelling it ends it at once.
    ///
    /// - Parameter completed: Is called once, with whether the pin set is as new as it can be.
    /// - Returns: The job.
    func refreshInBackground(
        _ completed: @escaping @Sendable (Bool) -> Void
    ) -> Task<Void, Never> {
        Task {
            do {
                try await refreshIfDue()
                completed(true)
            } catch {
                completed(false)
            }
        }
    }
}

#if canImport(BackgroundTasks) && !os(macOS)
    extension PinSetUpdater {
        /// Has the system run ``refreshIfDue()`` while the app is in the background: registers the
        /// job, and plans it anew each time that it has run. To be called before the app has
        /// finished launching, and once for each identifier in a process: the system ends the app
        /// otherwise. The first run is planned by ``scheduleBackgroundRefresh(_:)``.
        ///
        /// - Parameter identifier: The job's, which `BGTaskSchedulerPermittedIdentifiers` in
        ///   Info.plist has to name, beside `fetch` under `UIBackgroundModes`.
        /// - Returns: Whether it is registered; not where Info.plist does not name it.
        @available(iOSApplicationExtension, unavailable)
        @discardableResult
        public func registerBackgroundRefresh(_ identifier: String) -> Bool {
            BGTaskScheduler.shared.register(forTaskWithIdentifier: identifier, using: nil) { task in
                let run = Run(task: task)
                let work = self.refreshInBackground { isDone in
                    // Not before: it is the result that says when it is due again. Where it
                    // cannot be planned, the app's next way to the background does.
                    try? self.scheduleBackgroundRefresh(identifier)
                    run.task.setTaskCompleted(success: isDone)
                }
                task.expirationHandler = { work.cancel() }
            }
        }

        /// Plans the next run for when the pin set is due. To be called when the app goes to the
        /// background; a run that is planned already is replaced.
        ///
        /// - Parameter identifier: The one that ``registerBackgroundRefresh(_:)`` got.
        /// - Throws: `BGTaskScheduler.Error`, such as where the user does not allow background
        ///   jobs.
        public func scheduleBackgroundRefresh(_ identifier: String) throws {
            let request = BGAppRefreshTaskRequest(identifier: identifier)
            request.earliestBeginDate = Date(timeIntervalSinceNow: status.nextDue)
            try BGTaskScheduler.shared.submit(request)
        }
    }

    /// A task of the system's, which may be completed on any thread.
    private struct Run: @unchecked Sendable {
        let task: BGTask
    }
#endif
