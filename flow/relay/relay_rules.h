// File: relay_rules.h (internal)
//
// RelayRules: what follows for a relay from how one of its directions ends. It
// alone knows P10; relay.cc does asleep, and async_relay.cc by callbacks, what
// it says. What happened first decides, and each end is told once.
//
// Thread-safe, but for a direction's result, which is its own mover's until
// Ended.

#ifndef FLOW_RELAY_RELAY_RULES_H_
#define FLOW_RELAY_RELAY_RULES_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flow/core.h"
#include "flow/relay/relay_options.h"
#include "flow/relay/relay_result.h"

namespace flow {
namespace internal {

// How long a sink whose relay was ended by the policy is drained for.
inline constexpr absl::Duration kLinger = absl::Seconds(1);
// How often a sink that is to be aborted is asked whether what it was sent in
// order has arrived: two system calls each time (P4: at most 20 a second).
inline constexpr absl::Duration kLookAtSink = absl::Milliseconds(200);

// Why the end of `sink` may not be told, which no limit can change: a Write was
// cut in the middle, and Shutdown would be OK and look like the end of a whole
// stream. OK: it may.
absl::Status WhyNotEnd(Core& sink);

class RelayRules {
 public:
  enum Way : uint8_t { kAToB, kBToA };
  static Way Other(Way way) { return way == kAToB ? kBToA : kAToB; }

  // What is to be done now.
  enum class Do : uint8_t {
    kNothing,
    kWatch,         // this way has ended; wait for the peer of its source to be
                    // gone, or the half-close limit, or the other way's end
    kAbort,         // abort both flows
    kClose,         // close both
    kCloseInOrder,  // close this way's source, then its sink gracefully
  };

  RelayRules(RelayPolicy policy, absl::Duration half_close_limit)
      : policy_(policy), half_close_limit_(half_close_limit) {}

  CopyResult& result(Way way) { return sides_[way].result; }

  // The source of `way` has ended and the sink has got all. True: tell the sink
  // the end. False: the policy takes it for a failure, which is in the result.
  bool AtEof(Way way) ABSL_LOCKS_EXCLUDED(mu_);
  // `way` is over: `ok`, in order, or as its result says.
  Do Ended(Way way, bool ok) ABSL_LOCKS_EXCLUDED(mu_);
  // Of the watch of `way`: `source`, its source, is gone; `visible`: its abort
  // would have been seen as one. What this way has moved, all of it, with its
  // end, must have arrived: what comes of this may be an abort.
  Do SourceGone(Way way, bool visible, absl::string_view source)
      ABSL_LOCKS_EXCLUDED(mu_);
  Do HalfCloseLimitPassed(Way way) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Side {
    CopyResult result;
    bool at_eof = false;  // what is left to do is to tell the end
    bool in_order = false;
    // Why the other way's watch has ended this one; OK if it has not.
    absl::Status ended_because;
  };

  // The way is over since the relay was.
  void SettleLate(Side& side, bool ok) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool EndOther(Way way, const absl::Status& because)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const RelayPolicy policy_;
  const absl::Duration half_close_limit_;
  absl::Mutex mu_;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  bool by_policy_ ABSL_GUARDED_BY(mu_) = false;
  Side sides_[2];  // all but the result of a way that moves: under mu_
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_RELAY_RULES_H_
