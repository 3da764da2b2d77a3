#include "flow/cancel.h"

#include "absl/strings/str_cat.h"

namespace flow {

void CancelSource::Cancel() {
  if (state_ == nullptr) return;
  if (state_->cancelled.exchange(true, std::memory_order_acq_rel)) return;
  state_->signal.Notify();
}

void CancelSource::SetDeadline(MonoTime deadline) {
  if (state_ == nullptr) return;
  const int64_t before =
      state_->deadline_ns.exchange(deadline.nanos(), std::memory_order_acq_rel);
  if (before != deadline.nanos()) state_->signal.Notify();
}

std::string CancelToken::ToString() const {
  if (cancelled()) return "cancelled";
  const MonoTime when = deadline();
  if (!when.is_never()) return absl::StrCat("deadline ", when.ToString());
  return has_source() ? "not cancelled" : "never cancelled";
}

std::string CancelSource::ToString() const { return token().ToString(); }

}  // namespace flow
