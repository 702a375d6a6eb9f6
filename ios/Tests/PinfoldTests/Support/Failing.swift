import Pinfold
import Testing

/// The error with which `work` fails.
func failure(of work: () async throws -> Void) async throws -> PinfoldError {
    do {
        try await work()
    } catch let error as PinfoldError {
        return error
    }
    throw DidNotFail()
}

struct DidNotFail: Error {}
