// File: watch.h (internal)
//
// Watch: a call that is inside a flow without holding a direction, waiting for
// the peer's end. Lives on the stack; its destructor leaves.

#ifndef FLOW_WATCH_H_
#define FLOW_WATCH_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/aside.h"
#include "flow/core.h"
#include "flow/limits.h"
#include "flow/observer.h"
#include "flow/sleeper.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class Watch {
 public:
  // Waits for the peer's end, `at_least` so far.
  Watch(Core& core, PeerEnd at_least, const Limits& limits)
      : core_(core),
        at_least_(at_least),
        sleeper_(core.sys(), limits, &core.signal()),
        told_(core, OperationKind::kPeerEnd, "wait_peer_end") {}
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Comes in. OK: look.
  absl::Status Begin();

  // The peer's end, if the recorded ends of the flow say enough of it.
  std::optional<PeerEnd> Recorded();

  // Transport::TryPeerEnd. An answer that was not asked for is a failure.
  Attempt Try();

  // After a TryPeerEnd that was not certain: sleeps, or says why not. OK: look
  // again.
  absl::Status Again(const Attempt& attempt);

  // The result, of which those who observe the flow are told. Once.
  absl::StatusOr<PeerEnd> Over(absl::StatusOr<PeerEnd> result);

  // ---- For a driver that parks instead of sleeping.
  Sleeper& sleeper() { return sleeper_; }
  // Why a try that neither told the end nor would block can't be repeated.
  absl::Status FailureOf(const Attempt& attempt) const;
  // It is about to be parked on `wait`.
  void Parks(const Wait& wait) const {
    told_.Waits(ActivityOf(wait), sleeper_.LimitInstant());
  }
  // After a sleep that ended with `woke`. OK: look again.
  absl::Status Resume(Woke woke);

 private:
  absl::Status Limit(Woke woke) const;

  // What the recorded ends say of the peer; 0: nothing.
  int RecordedSoFar();

  Core& core_;
  const PeerEnd at_least_;
  Sleeper sleeper_;
  bool inside_ = false;
  bool pinned_ = false;
  Aside told_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_WATCH_H_
