#include "flow/sleeper.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/sys/errno_table.h"

namespace flow {
namespace internal {
namespace {

constexpr int64_t kMilli = 1'000'000;  // ns

// The first part of a sleep, on the descriptor alone (sleeper.h says why).
constexpr absl::Duration kAloneSlice = absl::Milliseconds(20);
// How often a thread without an eventfd looks up: 17 calls a second keep both
// P3 (100 ms) and P4 (20 calls a second).
constexpr absl::Duration kBlindSlice = absl::Milliseconds(60);
// A poll that fails for want of memory is made again after this long, spent in
// slices of this length: at most 18 calls a second.
constexpr absl::Duration kPollAgain = absl::Milliseconds(500);
constexpr absl::Duration kPollAgainSlice = absl::Milliseconds(90);
// The pauses of who tries in vain (sleeper.h).
constexpr absl::Duration kFutileFirst = absl::Milliseconds(8);
constexpr absl::Duration kFutileMax = absl::Milliseconds(200);
// An instant that is nearer than this is as good as now.
constexpr absl::Duration kSoon = absl::Milliseconds(1);

int TimeoutMs(MonoTime now, MonoTime until) {
  if (until.is_never()) return -1;
  if (until <= now) return 0;
  // Unsigned, since `until` and `now` may be far apart. Rounded up: a deadline
  // is never early.
  const uint64_t ns =
      static_cast<uint64_t>(until.nanos()) - static_cast<uint64_t>(now.nanos());
  const uint64_t ms = ns / kMilli + (ns % kMilli != 0 ? 1 : 0);
  return static_cast<int>(
      std::min<uint64_t>(ms, std::numeric_limits<int>::max()));
}

}  // namespace

Woke Sleeper::Check() {
  if (limits_.stall_timeout <= absl::ZeroDuration()) return Woke::kInvalid;
  if (limits_.cancel.cancelled()) return Woke::kCancelled;
  const MonoTime deadline =
      std::min(limits_.deadline, limits_.cancel.deadline());
  if (deadline.is_never()) return Woke::kRetry;
  if (IsFar(deadline, sys_->CoarseNow())) return Woke::kRetry;
  return sys_->Now() >= deadline ? Woke::kDeadline : Woke::kRetry;
}

Sleeper::Nearest Sleeper::NearestLimit() const {
  Nearest nearest = {std::min(limits_.deadline, limits_.cancel.deadline()),
                     Woke::kDeadline};
  if (limits_.stall_timeout < absl::InfiniteDuration() &&
      stall_since_ != MonoTime::Past()) {
    const MonoTime stalled = stall_since_ + limits_.stall_timeout;
    if (stalled < nearest.when) nearest = {stalled, Woke::kStalled};
  }
  return nearest;
}

bool Sleeper::Signalled(const Wait& wait) const {
  if (owner_ != nullptr && owner_->seq() != owner_seq_) return true;
  if (wait.signal != nullptr && wait.signal->seq() != wait.seq) return true;
  return limits_.cancel.has_source() &&
         limits_.cancel.signal()->seq() != token_seq_;
}

void Sleeper::BeginWait() {
  if (limits_.stall_timeout < absl::InfiniteDuration() &&
      stall_since_ == MonoTime::Past()) {
    stall_since_ = sys_->Now();
  }
}

Woke Sleeper::PassedLimit() const {
  if (limits_.cancel.cancelled()) return Woke::kCancelled;
  // Looked up anew each time, since the token's deadline may have been moved.
  const Nearest passed = NearestLimit();
  if (!passed.when.is_never() && sys_->Now() >= passed.when) return passed.why;
  return Woke::kRetry;
}

Wait Sleeper::Calmed(const Wait& wait, bool woken_by_fd, int allowed) {
  // A pause counts too, or it would never become longer.
  const bool in_vain = (woken_by_fd || paused_ || soon_) && !wait.moved;
  futile_ = in_vain ? futile_ + 1 : 0;
  soon_ = !wait.until.is_never() && wait.until <= sys_->Now() + kSoon;
  paused_ = futile_ > allowed;
  if (!paused_) return wait;
  const int times = std::min(futile_ - allowed - 1, 2);
  Wait calm = wait;
  calm.fd = -1;
  const MonoTime over =
      sys_->Now() + std::min(kFutileFirst * (1 << (3 * times)), kFutileMax);
  calm.until = soon_ ? over : std::min(wait.until, over);
  return calm;
}

Woke Sleeper::Sleep(const Wait& asked) {
  // A Cancel between the look that ended the last sleep and Arm() moved the
  // signal before it was armed: the flag, looked at after, has it.
  if (limits_.cancel.cancelled()) return Woke::kCancelled;
  BeginWait();
  const Wait wait = Calmed(asked, woken_by_fd_, kFutileAsleep);
  const MonoTime until = std::min(NearestLimit().when, wait.until);
  woken_by_fd_ = false;
  if (!Signalled(wait)) {
    if (wait.fd >= 0 && (wait.signal == nullptr || wait.signal_is_rare)) {
      const MonoTime now = sys_->Now();
      const MonoTime slice_end = now + kAloneSlice;
      woken_by_fd_ = Poll(wait, /*with_fd=*/true, nullptr,
                          std::min(until, slice_end), now);
      // No limit lay within the slice, and the token, which says so when its
      // deadline is moved, is as it was: none can have come before the fd.
      if (woken_by_fd_ && slice_end <= until && !Signalled(wait)) {
        return Woke::kRetry;
      }
      if (!woken_by_fd_ && !Signalled(wait)) {
        woken_by_fd_ = SleepLinked(wait, until);
      }
    } else {
      woken_by_fd_ = SleepLinked(wait, until);
    }
  }
  return PassedLimit();
}

bool Sleeper::SleepLinked(const Wait& wait, MonoTime until) {
  Waker& waker = Waker::ForThisThread(sys_);
  bool ready = false;
  {
    const WakerLink to_owner(owner_, &waker);
    const WakerLink to_token(limits_.cancel.signal(), &waker);
    const WakerLink to_transport(wait.signal, &waker);
    // A notification before the links were made is in the sequence numbers, one
    // after that pokes the waker.
    if (!Signalled(wait)) ready = Poll(wait, wait.fd >= 0, &waker, until);
  }
  waker.Drain();
  return ready;
}

bool Sleeper::Poll(const Wait& wait, bool with_fd, Waker* waker, MonoTime until,
                   MonoTime now) {
  pollfd fds[2];
  nfds_t count = 0;
  if (with_fd) fds[count++] = {wait.fd, wait.events, 0};
  bool blind = waker != nullptr && waker->fd() < 0;
  absl::Duration slice = kBlindSlice;
  if (waker != nullptr && !blind) fds[count++] = {waker->fd(), POLLIN, 0};
  for (;;) {
    MonoTime wake_at = until;
    if (!until.is_never() || blind) {
      if (now == MonoTime::Past()) now = sys_->Now();
      if (blind) wake_at = std::min(until, now + slice);
      if (wake_at <= now) return false;
    }
    const int timeout = TimeoutMs(now, wake_at);
    now = MonoTime::Past();
    const int n = sys_->Poll(fds, count, timeout);
    if (n > 0) return with_fd && fds[0].revents != 0;
    if (n == 0) {
      // Only a slice is over, or a timeout too long for poll: on with what is
      // left. No try is made for it.
      const bool part = blind || timeout == std::numeric_limits<int>::max();
      if (!part || Signalled(wait)) return false;
      continue;
    }
    if (TreatmentOf(SysCall::kPoll, errno) == Treatment::kAgain) {
      // A signal handler ran. Whatever it changed is in the sequence numbers;
      // the transport has nothing new, so no try is made for it (P7).
      if (Signalled(wait)) return false;
      continue;
    }
    // ENOMEM and the like: the signals are looked at from time to time.
    if (count == 0) return false;
    count = 0;
    blind = true;
    slice = kPollAgainSlice;
    until = std::min(until, sys_->Now() + kPollAgain);
  }
}

Activity ActivityOf(const Wait& wait) {
  if (wait.fd >= 0) return Activity::kFd;
  return wait.signal != nullptr || wait.until.is_never() ? Activity::kSignal
                                                         : Activity::kTime;
}

absl::Status LimitStatus(Woke woke, absl::string_view operation,
                         absl::string_view context, uint64_t bytes_done) {
  ErrorDetail detail;
  detail.operation = std::string(operation);
  detail.bytes_done = bytes_done;
  return LimitStatus(woke, std::move(detail), context);
}

absl::Status LimitStatus(Woke woke, ErrorDetail detail,
                         absl::string_view context) {
  absl::StatusCode code = absl::StatusCode::kInternal;
  absl::string_view what;
  switch (woke) {
    case Woke::kRetry:
      return absl::OkStatus();
    case Woke::kDeadline:
      code = absl::StatusCode::kDeadlineExceeded;
      detail.kind = ErrorKind::kDeadline;
      what = "() timed out: the deadline has passed";
      break;
    case Woke::kStalled:
      code = absl::StatusCode::kDeadlineExceeded;
      detail.kind = ErrorKind::kDeadline;
      what = "() timed out: no progress within stall_timeout";
      break;
    case Woke::kCancelled:
      code = absl::StatusCode::kCancelled;
      detail.kind = ErrorKind::kCancelled;
      what = "() cancelled by its token";
      break;
    case Woke::kStopped:
      code = absl::StatusCode::kCancelled;
      detail.kind = ErrorKind::kCancelled;
      what = "() cancelled: its AsyncContext was destroyed";
      break;
    case Woke::kInvalid:
      return InvalidArgument(absl::StrCat(
          detail.operation, "() refused: stall_timeout must be more than 0"));
  }
  return MakeStatus(code,
                    absl::StrCat(detail.operation, what,
                                 context.empty() ? "" : "; ", context),
                    detail);
}

}  // namespace internal
}  // namespace flow
