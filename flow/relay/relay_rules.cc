#include "flow/relay/relay_rules.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

bool FailedBecauseClosedHere(const CopyResult& result) {
  return IsClosedLocally(result.read_status) ||
         IsClosedLocally(result.write_status);
}

}  // namespace

absl::Status WhyNotEnd(Core& sink) {
  return sink.state().write_end() == WriteEnd::kSealed ? sink.WriteError()
                                                       : absl::OkStatus();
}

bool RelayRules::AtEof(Way way) {
  absl::MutexLock lock(&mu_);
  Side& side = sides_[way];
  side.at_eof = true;
  if (policy_ != RelayPolicy::kFailFast || sides_[Other(way)].at_eof) {
    return true;
  }
  side.result.read_status =
      MakeStatus(CodeOf(ErrorKind::kClosedByPeer),
                 "the peer ended, which the policy (fail fast) takes for a "
                 "failure",
                 {ErrorKind::kClosedByPeer, 0, "read", "", "", 0});
  return false;
}

RelayRules::Do RelayRules::Ended(Way way, bool ok) {
  absl::MutexLock lock(&mu_);
  Side& side = sides_[way];
  if (over_) {
    SettleLate(side, ok);
    return Do::kNothing;
  }
  if (!ok) {
    over_ = true;
    return Do::kAbort;
  }
  side.in_order = true;
  if (sides_[Other(way)].in_order) return Do::kNothing;
  if (policy_ != RelayPolicy::kCloseBoth) return Do::kWatch;
  over_ = by_policy_ = true;
  return Do::kCloseInOrder;
}

void RelayRules::SettleLate(Side& side, bool ok) const {
  CopyResult& result = side.result;
  if (ok) {
    // Its end may have been told to nobody: a Shutdown of a flow that was
    // closed meanwhile is OK.
    if (by_policy_) return;
    result.write_status = absl::CancelledError("closed before its end");
    result.cut = true;
    return;
  }
  if (!FailedBecauseClosedHere(result)) return;
  if (by_policy_) {
    result.read_status = result.write_status = absl::OkStatus();
    result.by_policy = true;
  } else if (side.ended_because.ok()) {
    result.cut = true;
  } else {
    result.read_status = absl::OkStatus();
    result.write_status = side.ended_because;
  }
}

bool RelayRules::EndOther(Way way, const absl::Status& because) {
  Side& other = sides_[Other(way)];
  if (over_ || other.in_order) return false;
  over_ = true;
  other.ended_because = because;
  return true;
}

RelayRules::Do RelayRules::SourceGone(Way way, bool visible,
                                      absl::string_view source) {
  const ErrorKind kind = visible ? ErrorKind::kReset : ErrorKind::kClosedByPeer;
  absl::MutexLock lock(&mu_);
  // A peer that has got its end may well be gone.
  if (sides_[Other(way)].at_eof) return Do::kNothing;
  const absl::Status because = MakeStatus(
      CodeOf(kind),
      absl::StrCat("the peer is gone, nobody is left to take what comes; ",
                   source),
      {kind, 0, "wait_peer_end", "", "", 0});
  if (!EndOther(way, because)) return Do::kNothing;
  // Without a visible abort the peer may have gone in order, and what it sent
  // may still be on its way: an abort of the other side could destroy that.
  return visible ? Do::kAbort : Do::kClose;
}

RelayRules::Do RelayRules::HalfCloseLimitPassed(Way way) {
  absl::MutexLock lock(&mu_);
  const absl::Status because =
      MakeStatus(absl::StatusCode::kDeadlineExceeded,
                 absl::StrCat("the other direction had ended ",
                              absl::FormatDuration(half_close_limit_),
                              " before: the half-close limit has passed"),
                 {ErrorKind::kDeadline, 0, "relay", "", "", 0});
  return EndOther(way, because) ? Do::kAbort : Do::kNothing;
}

}  // namespace internal
}  // namespace flow
