// File: shutting.h (internal)
//
// The blocking driver's ways to end a flow in order: Shutdown, and the graceful
// Close that stands on it (flow/flow.h has their contract).

#ifndef FLOW_SHUTTING_H_
#define FLOW_SHUTTING_H_

#include "absl/status/status.h"
#include "flow/core.h"
#include "flow/limits.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

absl::Status Shutdown(Core& core, ShutdownMode mode, const Limits& limits);
absl::Status CloseGracefully(Core& core, const Limits& limits);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_SHUTTING_H_
