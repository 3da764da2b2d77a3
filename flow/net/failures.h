// File: failures.h (internal)
//
// One Status out of the several with which the addresses of a name have failed.

#ifndef FLOW_NET_FAILURES_H_
#define FLOW_NET_FAILURES_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace flow {
namespace internal {

// The only one of `failures`, or one that has the messages of all and the code
// and payload of the first that was no time-out (else of the first): what the
// machine said rather than what we had no patience for.
absl::Status JoinFailures(absl::string_view operation, absl::string_view target,
                          absl::Span<const absl::Status> failures);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_FAILURES_H_
