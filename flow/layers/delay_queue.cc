#include "flow/layers/delay_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"
#include "flow/layers/iovecs.h"

namespace flow {
namespace internal {
namespace {

constexpr size_t kBatch = 16 << 10;
// How many batches one try takes: others are to have their turn.
constexpr int kBatchesPerTry = 8;

}  // namespace

Attempt DelayQueue::TryRead(absl::Span<const iovec> into,
                            absl::FunctionRef<absl::Duration()> delay) {
  const bool pulled = Pull(delay);
  const MonoTime now = sys_->Now();
  const size_t given = Give(into, now);
  if (given > 0) return Attempt::Transferred(given);
  if (batches_.empty() && end_.has_value() && last_due_ <= now) return *end_;
  return WaitForMore(pulled);
}

bool DelayQueue::Pull(absl::FunctionRef<absl::Duration()> delay) {
  wait_.reset();
  bool pulled = false;
  char space[kBatch];
  for (int i = 0; i < kBatchesPerTry && !end_.has_value(); ++i) {
    const iovec into = {space, std::min(kBatch, max_held_ - held_)};
    if (into.iov_len == 0) break;
    const Attempt a = below_->TryRead(absl::MakeConstSpan(&into, 1));
    if (a.would_block()) {
      wait_ = a.wait();
      break;
    }
    pulled = true;
    last_due_ = std::max(last_due_, sys_->Now() + delay());
    if (a.transferred()) {
      const size_t n = std::min(a.n(), into.iov_len);
      batches_.push_back({last_due_, std::string(space, n)});
      held_ += n;
    } else {
      end_ = a;
      if (a.failed()) words_ = below_->last_error();
    }
  }
  return pulled;
}

size_t DelayQueue::Give(absl::Span<const iovec> into, MonoTime now) {
  if (batches_.empty() || batches_.front().due > now) return 0;
  Batch& first = batches_.front();
  const absl::string_view bytes = first.bytes;
  const size_t n = CopyInto(into, bytes.substr(first.given));
  first.given += n;
  held_ -= n;
  if (first.given == first.bytes.size()) batches_.pop_front();
  return n;
}

Attempt DelayQueue::WaitForMore(bool pulled) const {
  const bool full = held_ == max_held_;
  Wait wait;
  if (wait_.has_value()) {
    wait = *wait_;
  } else if (!full && !end_.has_value()) {
    wait.until = MonoTime::Past();  // there is more to be taken
  }
  const MonoTime due = batches_.empty() ? last_due_ : batches_.front().due;
  if (!batches_.empty() || end_.has_value()) {
    wait.until = std::min(wait.until, due);
  }
  return pulled ? Attempt::Progressed(wait) : Attempt::WouldBlock(wait);
}

}  // namespace internal
}  // namespace flow
