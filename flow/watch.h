// File: watch.h (internal)
//
// Watch: a call that is inside a flow without holding a direction, waiting for
// the peer's end. Lives on the stack; its destructor leaves.

#ifndef FLOW_WATCH_H_
#define FLOW_WATCH_H_

#include <optional>

#include "absl/status/status.h"
#include "flow/core.h"
#include "flow/limits.h"
#include "flow/sleeper.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class Watch {
 public:
  Watch(Core& core, const Limits& limits)
      : core_(core), sleeper_(core.sys(), limits, &core.signal()) {}
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Comes in. OK: look.
  absl::Status Begin();

  // What the recorded ends of the flow say of the peer, if anything.
  std::optional<PeerEnd> Recorded();

  // After a TryPeerEnd that was not certain: sleeps, or says why not. OK: look
  // again.
  absl::Status Again(const Attempt& attempt);

  // ---- For a driver that parks instead of sleeping.
  Sleeper& sleeper() { return sleeper_; }
  // Why a try that neither told the end nor would block can't be repeated.
  absl::Status FailureOf(const Attempt& attempt) const;
  // After a sleep that ended with `woke`. OK: look again.
  absl::Status Resume(Woke woke);

 private:
  absl::Status Limit(Woke woke) const;

  Core& core_;
  Sleeper sleeper_;
  bool inside_ = false;
  bool pinned_ = false;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_WATCH_H_
