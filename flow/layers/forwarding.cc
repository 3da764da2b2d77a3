#include "flow/layers/forwarding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace flow {
namespace internal {

Attempt ForwardingTransport::TryShutdown(ShutdownMode half) {
  // The read half below stays open for TryDrain; FlowState answers Eof.
  if (half == ShutdownMode::kRead) return Attempt::Transferred(0);
  return below_->TryShutdown(half);
}

Attempt ForwardingTransport::TryDrain(absl::Span<const iovec> scratch) {
  return below_->is_layer() ? below_->TryDrain(scratch)
                            : below_->TryRead(scratch);
}

std::string ForwardingTransport::layers() const {
  return absl::StrCat(name_, " over ", below_->layers());
}

void ForwardingTransport::Tell(absl::Status words) {
  const std::thread::id self = std::this_thread::get_id();
  absl::MutexLock lock(&mu_);
  told_.erase(std::remove_if(told_.begin(), told_.end(),
                             [self](const Told& t) { return t.who == self; }),
              told_.end());
  told_.push_back({self, std::move(words)});
}

// "Asked for once, right after the failure, by the thread that met it."
absl::Status ForwardingTransport::last_error() const {
  const std::thread::id self = std::this_thread::get_id();
  {
    absl::MutexLock lock(&mu_);
    const auto own =
        std::find_if(told_.begin(), told_.end(),
                     [self](const Told& t) { return t.who == self; });
    if (own != told_.end()) {
      absl::Status words = std::move(own->words);
      told_.erase(own);
      return words;
    }
  }
  return below_->last_error();
}

Syscalls* SyscallsOf(const Flow& below) {
  return below.syscalls() != nullptr ? below.syscalls() : Syscalls::Real();
}

}  // namespace internal
}  // namespace flow
