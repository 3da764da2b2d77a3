// File: tee_copy.h (internal)
//
// TeeCopy: one direction's copy on its way to a sink. It alone knows what the
// sink has not taken yet.
//
// Belongs to the direction; Abort may be called at any time before Close. The
// hook is not called after Abort.

#ifndef FLOW_LAYERS_TEE_COPY_H_
#define FLOW_LAYERS_TEE_COPY_H_

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "flow/layers/tee.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class TeeCopy {
 public:
  // Who is told of failures; both directions may have one at once.
  struct Hook {
    absl::Mutex mu;
    absl::AnyInvocable<void(const absl::Status&)> failed ABSL_GUARDED_BY(mu);
  };

  // Without a sink there is nothing to do, ever.
  TeeCopy(std::unique_ptr<Transport> sink, SinkFailure on_failure,
          std::shared_ptr<Hook> hook, Syscalls* sys);

  // How many bytes may be offered at once.
  static constexpr size_t kAtMost = 64 << 10;

  bool active() const { return sink_ != nullptr && !dropped_; }

  // The sink is to get the first `n` bytes of `parts`: takes them all. Only
  // after a Push that was Transferred.
  void Offer(absl::Span<const iovec> parts, size_t n);

  // Transferred: the sink has everything. WouldBlock: it takes no more now.
  // Failed, if that is to be the direction's failure: then failure() says it.
  Attempt Push();
  const absl::Status& failure() const { return failure_; }

  // The stream has failed. Any thread.
  void Spoil() { spoilt_.store(true); }

  void Abort();
  absl::Status Close();
  void CloseAfterFork();

  // The sink's fd if writing to it may wait for a disk; else -1.
  int disk() const { return disk_; }

 private:
  Attempt SinkFailed(const Attempt& failed);
  Attempt Waiting(const Attempt& a, bool moved) const;

  const std::unique_ptr<Transport> sink_;
  const SinkFailure on_failure_;
  const std::shared_ptr<Hook> hook_;
  int disk_ = -1;

  std::string pending_;
  size_t sent_ = 0;  // of pending_
  bool unflushed_ = false;
  bool dropped_ = false;
  std::atomic<bool> spoilt_{false};
  std::atomic<bool> aborted_{false};
  absl::Status failure_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_LAYERS_TEE_COPY_H_
