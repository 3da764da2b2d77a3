// File: spin.h (internal)
//
// Spin: the pauses between the tries of one spin (flow/read_habit.h says when
// one is made). They grow, so that an answer within a few us is found within
// one, and a dozen tries reach across 300 us. They come before the first sleep,
// from which on P4 counts; a sleep that is not disturbed adds one or two.
//
//   Spin spin(sys, most_ns, limit);
//   while (attempt.would_block() && spin.Pause()) attempt = try again;
//
// Keeps the processor. Lives on the stack of one call.

#ifndef FLOW_SPIN_H_
#define FLOW_SPIN_H_

#include <cstdint>

#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

class Spin {
 public:
  // `limit`: the nearest limit of the call, from which on nothing is tried.
  Spin(Syscalls* sys, int64_t most_ns, MonoTime limit)
      : sys_(sys), most_ns_(most_ns), limit_(limit), began_(sys->Now()) {}

  // False when the spin is over: so many tries, so much time, or the limit.
  bool Pause();

  // How long it has taken so far.
  int64_t ns() const;

 private:
  Syscalls* const sys_;
  const int64_t most_ns_;
  const MonoTime limit_;
  const MonoTime began_;
  int pauses_ = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_SPIN_H_
