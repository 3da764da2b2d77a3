// File: shutting.h (internal)
//
// The blocking driver's ways to end a flow in order: Shutdown, and the graceful
// Close that stands on it (flow/flow.h has their contract).

#ifndef FLOW_SHUTTING_H_
#define FLOW_SHUTTING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "flow/core.h"
#include "flow/limits.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// What closing the flow below a layer waits for at most (DESIGN: section 3).
inline constexpr absl::Duration kBelowWait = absl::Seconds(1);
inline constexpr uint64_t kBelowBytes = 1 << 20;

// Shutdown(kRead). By a pinned caller.
void ShutRead(Core& core);

// A layer whose both sides are shut: the transport, and with it the flow below,
// is closed as soon as nobody is inside.
void RetireLayer(Core& core);

// What CloseGracefully makes of its parts, whoever drives them:
// Shutdown(kWrite), a drain if it WaitsForPeer, Close.
class Farewell {
 public:
  explicit Farewell(const Core& core) : was_open_(!core.state().closed()) {}

  // After the Shutdown, with its status: whether the peer's end is to be waited
  // for, by a drain of the read side, which is CloseGracefully's from now on.
  bool WaitsForPeer(Core& core, absl::Status shut);
  // After the drain, with its status; before Close.
  void Drained(const Core& core, absl::Status drained);
  // The result, with the status of Close.
  absl::Status Result(const absl::Status& closed) const;

 private:
  const bool was_open_;
  absl::Status status_;  // the first that is not OK
};

// Why a Shutdown that includes the read half does nothing: a limit that is none
// or, if there is something to wait for after it, one that has passed.
absl::Status LimitsOfShutdown(const Core& core, ShutdownMode mode,
                              const Limits& limits);

absl::Status Shutdown(Core& core, ShutdownMode mode, const Limits& limits);
absl::Status CloseGracefully(Core& core, const Limits& limits);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_SHUTTING_H_
