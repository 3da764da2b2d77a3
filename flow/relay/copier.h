// File: copier.h (internal)
//
// Copier: one direction, from Eof to Eof, by one thread. It alone knows how
// bytes get from one flow to another; relay.cc knows what follows from how that
// ends.
//
// Guarantees: IdleClock may be used by two threads at once; a Copier belongs to
// one.

#ifndef FLOW_RELAY_COPIER_H_
#define FLOW_RELAY_COPIER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/relay/relay.h"
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

 private:
  Syscalls* const sys_;
  const absl::Duration limit_;
  std::atomic<int64_t> last_ns_;
};

class Copier {
 public:
  // All must outlive this.
  Copier(Flow& src, Flow& dst, const Limits& limits, IdleClock& idle);

  // Moves bytes until the source's Eof (true) or a failure (false), which is
  // then in `result`.
  bool Run(CopyResult& result);

  // Tells the sink's peer the end; false: see `result`.
  bool EndSink(CopyResult& result);

 private:
  // One chunk. The number of bytes read, or 0 at the end, whichever.
  size_t ReadChunk(CopyResult& result, bool& at_eof);
  // All of `chunk`, or false.
  bool WriteChunk(absl::string_view chunk, CopyResult& result);
  bool WriteInSteps(absl::string_view chunk, CopyResult& result);
  // The limits of a call that begins now, the idle limit among them.
  Limits CallLimits() const;
  // Whether a call that met `status` only ran into an idle limit that the
  // other direction has moved meanwhile.
  bool GoOnAfter(const absl::Status& status) const;
  // `status`, or what to say instead where the idle limit was its reason.
  absl::Status Explain(const absl::Status& status) const;

  Flow& src_;
  Flow& dst_;
  Limits limits_;
  IdleClock& idle_;
  const std::unique_ptr<char[]> buffer_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_COPIER_H_
