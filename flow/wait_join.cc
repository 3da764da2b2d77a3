#include "flow/wait_join.h"

#include <algorithm>

#include "absl/time/time.h"

namespace flow {
namespace internal {
namespace {

// How often a second descriptor is looked at: three system calls each time are
// well within P4.
constexpr absl::Duration kLookAgain = absl::Milliseconds(500);

}  // namespace

void WaitJoin::Begin() {
  first_.Stop();
  second_.Stop();
  seq_ = signal_.seq();
}

Wait WaitJoin::For(const Wait& wait, const Wait* other) {
  Wait joined = wait;
  joined.signal = &signal_;
  joined.seq = seq_;
  joined.signal_is_rare = wait.signal == nullptr || wait.signal_is_rare;
  Follow(wait, first_);
  if (other == nullptr) return joined;
  Follow(*other, second_);
  if (other->signal != nullptr && !other->signal_is_rare) {
    joined.signal_is_rare = false;
  }
  joined.until = std::min(joined.until, other->until);
  if (joined.fd < 0) {
    joined.fd = other->fd;
    joined.events = other->events;
  } else if (joined.fd == other->fd) {
    joined.events = static_cast<short>(joined.events | other->events);
  } else if (other->fd >= 0) {
    joined.until = std::min(joined.until, sys_->Now() + kLookAgain);
  }
  return joined;
}

void WaitJoin::Follow(const Wait& wait, Relay& relay) {
  if (wait.signal == nullptr) return;
  relay.Follow(wait.signal, &signal_);
  // What came before the link was made is in the sequence number.
  if (wait.signal->seq() != wait.seq) signal_.Notify();
}

}  // namespace internal
}  // namespace flow
