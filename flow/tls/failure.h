// File: failure.h (internal)
//
// It alone knows what OpenSSL's error queue means: which Status a failure is,
// in words that name the cause and hold nothing that the peer could choose.
//
// The queue is the thread's, and shared by all that use OpenSSL there. So it is
// emptied before a call whose failure is to be understood, and emptied again by
// whoever reads it: an error of one flow is never taken for another's.

#ifndef FLOW_TLS_FAILURE_H_
#define FLOW_TLS_FAILURE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace flow {
namespace internal {

// Empties this thread's error queue. Cheap when it is empty.
void ClearTlsErrors();

// The Status of the TLS failure that the queue tells of, and empties it:
// UNAUTHENTICATED for certificates, FAILED_PRECONDITION if the two sides have
// no version, cipher or protocol in common, DATA_LOSS if the peer broke the
// protocol or does not speak it. `what` stands before the cause.
absl::Status TakeTlsFailure(absl::string_view what);

// The same for something that was to be loaded or made: INVALID_ARGUMENT, or
// what the errno in the queue says (NOT_FOUND).
absl::Status TakeLoadFailure(absl::string_view what);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_FAILURE_H_
