// File: delay_queue.h (internal)
//
// DelayQueue: bytes and the ending that a transport has given, each to be
// passed on only after a while. It alone knows when what was read is due.
//
// Belongs to the read direction.

#ifndef FLOW_LAYERS_DELAY_QUEUE_H_
#define FLOW_LAYERS_DELAY_QUEUE_H_

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class DelayQueue {
 public:
  // Holds at most `max_held` bytes. `delay` says how long each batch is kept.
  DelayQueue(Transport* below, Syscalls* sys, size_t max_held)
      : below_(below), sys_(sys), max_held_(max_held) {}

  // Takes what is there below, `delay()` for each batch, then gives what is
  // due.
  Attempt TryRead(absl::Span<const iovec> into,
                  absl::FunctionRef<absl::Duration()> delay);

  // The words for a failure that TryRead has given; OK if there are none.
  const absl::Status& words() const { return words_; }

  // Drops what is held.
  void Clear() {
    batches_.clear();
    held_ = 0;
  }

 private:
  struct Batch {
    MonoTime due;
    std::string bytes;
    size_t given = 0;
  };

  // True if anything came.
  bool Pull(absl::FunctionRef<absl::Duration()> delay);
  size_t Give(absl::Span<const iovec> into, MonoTime now);
  Attempt WaitForMore(bool pulled) const;

  Transport* const below_;
  Syscalls* const sys_;
  const size_t max_held_;
  std::deque<Batch> batches_;
  size_t held_ = 0;
  MonoTime last_due_ = MonoTime::Past();
  std::optional<Attempt> end_;  // due at last_due_
  absl::Status words_;
  std::optional<Wait> wait_;  // for more below; none if more is there already
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_LAYERS_DELAY_QUEUE_H_
