// File: wait_join.h (internal)
//
// WaitJoin: a way to wait for two things with a single Wait: a direction of TLS
// for the flow below and for the other direction, a relay for its sink and for
// the end of its source. It alone knows how Waits are joined.
//
// Not thread-safe but for Notify(): the rest is one thread's at a time.

#ifndef FLOW_WAIT_JOIN_H_
#define FLOW_WAIT_JOIN_H_

#include <cstdint>

#include "flow/signal.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class WaitJoin {
 public:
  explicit WaitJoin(Syscalls* sys) : sys_(sys) {}
  WaitJoin(const WaitJoin&) = delete;
  WaitJoin& operator=(const WaitJoin&) = delete;

  // A try of this direction begins: before the look at anything.
  void Begin();

  // Whatever this direction waits for may be there: it tries again.
  void Notify() { signal_.Notify(); }

  // Until `wait` may be over, or Notify() since Begin(). Once per try.
  Wait For(const Wait& wait) { return For(wait, nullptr); }
  // Until either is over. Two different descriptors don't fit into one Wait:
  // the second is then looked at twice a second.
  Wait For(const Wait& wait, const Wait* other);
  // Not at all: others have their turn, then it is tried again.
  Wait ForNothing() const { return Wait::Until(MonoTime::Past()); }

 private:
  // Passes notifications of a signal below on to this one. A signal's mutex is
  // held while the next one above it is notified: locks are taken upwards only.
  class Relay final : public SignalLink {
   public:
    ~Relay() override { Unlink(); }
    void Follow(Signal* from, Signal* to) {
      to_ = to;
      Link(from);
    }
    void Stop() { Unlink(); }

   private:
    void Notified() override { to_->Notify(); }

    Signal* to_ = nullptr;
  };

  void Follow(const Wait& wait, Relay& relay);

  Syscalls* const sys_;
  Signal signal_;
  uint64_t seq_ = 0;
  Relay first_;
  Relay second_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_WAIT_JOIN_H_
