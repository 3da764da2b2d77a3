// File: movement.h (internal)
//
// Movement: who is told that a byte has moved: the idle limit, and the user's
// progress callback. It alone knows how often that one is called.
//
// Guarantees: IdleClock and ProgressMeter may be used by two threads at once.

#ifndef FLOW_RELAY_MOVEMENT_H_
#define FLOW_RELAY_MOVEMENT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flow/limits.h"
#include "flow/relay/relay_options.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

// When a byte was last moved, by any of the directions that share it.
class IdleClock {
 public:
  // No byte for `limit` is too long; an infinite `limit` never is, and costs no
  // look at the clock.
  IdleClock(Syscalls* sys, absl::Duration limit);

  void Moved();
  bool limited() const { return limit_ != absl::InfiniteDuration(); }
  // As of now: it moves with every byte.
  MonoTime deadline() const;
  bool Expired() const { return limited() && deadline() <= sys_->Now(); }
  absl::Duration limit() const { return limit_; }
  Syscalls* sys() const { return sys_; }

  // Whether a call within `limits` that met `status` only ran into an idle
  // limit that has been moved meanwhile.
  bool GoOnAfter(const absl::Status& status, const Limits& limits) const;
  // `status`, or what to say instead where the idle limit was its reason.
  absl::Status Explain(const absl::Status& status) const;

 private:
  Syscalls* const sys_;
  const absl::Duration limit_;
  std::atomic<int64_t> last_ns_;
};

// The user's callback, at a bounded rate. `back`: of the second direction.
class ProgressMeter {
 public:
  ProgressMeter(Syscalls* sys, ProgressFunction function,
                absl::Duration interval);

  void Moved(bool back, size_t n) ABSL_LOCKS_EXCLUDED(mu_);
  // The last time.
  void Finish() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Tell(MonoTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Syscalls* const sys_;
  const bool wanted_;
  const absl::Duration interval_;
  const MonoTime begin_;
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> bytes_back_{0};
  std::atomic<int64_t> next_ns_{0};
  absl::Mutex mu_;  // held while the function runs, which keeps others out
  ProgressFunction function_ ABSL_GUARDED_BY(mu_);
};

// One direction's.
class Movement {
 public:
  Movement(IdleClock& idle, ProgressMeter& meter, bool back)
      : idle_(idle), meter_(meter), back_(back) {}

  void Moved(size_t n) {
    idle_.Moved();
    meter_.Moved(back_, n);
  }
  IdleClock& idle() const { return idle_; }

 private:
  IdleClock& idle_;
  ProgressMeter& meter_;
  const bool back_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_MOVEMENT_H_
