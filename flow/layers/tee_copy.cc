#include "flow/layers/tee_copy.h"

#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "flow/endpoint.h"
#include "flow/layers/iovecs.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/turn.h"

namespace flow {
namespace internal {
namespace {

// How often one try asks the sink: others are to have their turn.
constexpr int kStepsPerTry = 16;

int DiskOf(const Transport* sink, Syscalls* sys) {
  if (sink == nullptr || sink->write_handle() < 0) return -1;
  struct stat facts;
  if (sys->Fstat(sink->write_handle(), &facts) != 0) return -1;
  return S_ISREG(facts.st_mode) || S_ISBLK(facts.st_mode) ? sink->write_handle()
                                                          : -1;
}

// What the sink says of its failure, as a flow on it would.
absl::Status StatusOf(const Attempt& failed, const Transport& sink) {
  ErrorDetail detail;
  detail.operation = "write";
  detail.local = sink.local().ToString();
  detail.peer = sink.peer().ToString();
  return FailureStatus(failed, std::move(detail), sink.last_error(),
                       absl::StrCat("flow ", sink.layers(),
                                    EndpointPair(sink.local(), sink.peer())));
}

}  // namespace

TeeCopy::TeeCopy(std::unique_ptr<Transport> sink, SinkFailure on_failure,
                 std::shared_ptr<Hook> hook, Syscalls* sys)
    : sink_(std::move(sink)),
      on_failure_(on_failure),
      hook_(std::move(hook)),
      disk_(DiskOf(sink_.get(), sys)) {}

void TeeCopy::Offer(absl::Span<const iovec> parts, size_t n) {
  if (!active()) return;
  unflushed_ = true;
  size_t taken = 0;
  const Attempt a = n == TotalLength(parts)
                        ? sink_->TryWrite(parts)
                        : sink_->TryWrite(FirstOf(parts, n));
  if (a.transferred()) taken = a.n();
  if (a.failed()) {
    SinkFailed(a);  // Push tells
    return;
  }
  size_t skip = taken;
  ForFirst(parts, n, [this, &skip](absl::Span<char> piece) {
    const size_t skipped = std::min(skip, piece.size());
    skip -= skipped;
    pending_.append(piece.data() + skipped, piece.size() - skipped);
  });
}

Attempt TeeCopy::Push() {
  if (!failure_.ok() && on_failure_ == SinkFailure::kFail) {
    return Attempt::Failed(ErrorKind::kOther, ErrorScope::kDirection);
  }
  if (!active()) return Attempt::Transferred(0);
  for (int i = 0; sent_ < pending_.size(); ++i) {
    if (i == kStepsPerTry) {
      return Attempt::Progressed(Wait::Until(MonoTime::Past()));
    }
    const iovec rest = {&pending_[sent_], pending_.size() - sent_};
    const Attempt a = sink_->TryWrite(absl::MakeConstSpan(&rest, 1));
    if (a.would_block()) return Waiting(a, /*moved=*/i > 0);
    if (!a.transferred()) return SinkFailed(a);
    sent_ += a.n();
  }
  pending_.clear();
  sent_ = 0;
  if (!unflushed_) return Attempt::Transferred(0);
  const Attempt a = sink_->TryFlush();
  if (a.would_block()) return a;
  if (!a.transferred()) return SinkFailed(a);
  unflushed_ = false;
  return Attempt::Transferred(0);
}

Attempt TeeCopy::Waiting(const Attempt& a, bool moved) const {
  return moved ? Attempt::Progressed(a.wait()) : a;
}

Attempt TeeCopy::SinkFailed(const Attempt& failed) {
  failure_ = StatusOf(failed, *sink_);
  dropped_ = true;
  pending_ = {};
  sent_ = 0;
  absl::MutexLock lock(&hook_->mu);
  try {
    if (hook_->failed) hook_->failed(failure_);
  } catch (...) {  // NOLINT(bugprone-empty-catch): the user's, who was told
  }
  return on_failure_ == SinkFailure::kDrop
             ? Attempt::Transferred(0)
             : Attempt::Failed(ErrorKind::kOther, ErrorScope::kDirection);
}

void TeeCopy::Abort() {
  aborted_.store(true);
  if (sink_ != nullptr) sink_->Abort();
}

absl::Status TeeCopy::Close() {
  if (sink_ == nullptr) return absl::OkStatus();
  if (aborted_.load()) return sink_->Close();
  // What can be sent without waiting.
  Attempt pushed = Push();
  while (pushed.progressed()) pushed = Push();
  // A part is not to be taken for the whole.
  if (!pushed.transferred() || dropped_ || spoilt_.load()) sink_->Abort();
  return sink_->Close();
}

void TeeCopy::CloseAfterFork() {
  if (sink_ != nullptr) sink_->CloseAfterFork();
}

}  // namespace internal
}  // namespace flow
