#include "flow/net/child_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/net/reaper.h"
#include "flow/sleeper.h"
#include "flow/status.h"
#include "flow/sys/fork_generation.h"
#include "flow/transport.h"

namespace flow {
namespace internal {
namespace {

constexpr char kWait[] = "wait";

ExitStatus StatusFrom(const siginfo_t& info) {
  return info.si_code == CLD_EXITED
             ? ExitStatus::Exited(info.si_status)
             : ExitStatus::Signalled(info.si_status,
                                     info.si_code == CLD_DUMPED);
}

absl::Status NotOurs(absl::string_view operation, const std::string& name) {
  ErrorDetail detail;
  detail.operation = std::string(operation);
  return MakeStatus(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat(operation, "() refused: ", name,
                   " is a child of the process that this one was forked from"),
      detail);
}

}  // namespace

// A close of the pidfd is not the fake's business: it may be gone by then.
ChildProcess::ChildProcess(Syscalls* sys, pid_t pid, std::string name,
                           bool leads_group)
    : pid_(pid),
      name_(std::move(name)),
      leads_group_(leads_group),
      fork_generation_(ForkGeneration()),
      pidfd_(sys->PidfdOpen(pid)),
      sys_(sys) {}

std::optional<absl::StatusOr<ExitStatus>> ChildProcess::Look(bool reap) {
  if (reaped_ || (end_.has_value() && !reap)) return end_;
  siginfo_t info = {};
  const int options = WEXITED | WNOHANG | (reap ? 0 : WNOWAIT);
  int result;
  do {
    result = sys_->Waitid(pid_, pidfd_.get(), &info, options);
  } while (result != 0 && errno == EINTR);
  if (result == 0 && info.si_pid == 0) return std::nullopt;
  if (result == 0) {
    end_ = StatusFrom(info);
    reaped_ = reap;
  } else if (!end_.has_value()) {
    // Only if somebody else waits for any child, or ignores SIGCHLD.
    const int error = errno;
    end_ = ErrnoStatus(
        error, kWait,
        absl::StrCat("the end of ", name_, " was taken by somebody else"));
    reaped_ = true;
  } else {
    reaped_ = true;
  }
  return end_;
}

absl::StatusOr<ExitStatus> ChildProcess::Wait(const Limits& limits) {
  if (fork_generation_ != ForkGeneration()) return NotOurs(kWait, name_);
  Syscalls* sys;
  {
    absl::MutexLock lock(&mu_);
    sys = sys_;
  }
  Sleeper sleeper(sys, limits, nullptr);
  Woke woke = sleeper.Check();
  while (woke == Woke::kRetry) {
    sleeper.Arm();
    {
      absl::MutexLock lock(&mu_);
      const auto end = Look(/*reap=*/!leads_group_);
      if (end.has_value()) return *end;
    }
    // Asked for by time, it may end unseen for that long; not by a poll, it
    // costs two calls each time (P4).
    woke = sleeper.Sleep(
        pidfd_.valid()
            ? flow::Wait::ForFd(pidfd_.get(), POLLIN)
            : flow::Wait::Until(sys->Now() + absl::Milliseconds(kAskEveryMs)));
  }
  ErrorDetail detail;
  detail.operation = kWait;
  return LimitStatus(woke, std::move(detail), name_);
}

absl::Status ChildProcess::Kill(int signal) {
  if (fork_generation_ != ForkGeneration()) return NotOurs("kill", name_);
  absl::MutexLock lock(&mu_);
  if (reaped_) return absl::OkStatus();
  const int result = leads_group_ ? sys_->Kill(-pid_, -1, signal)
                                  : sys_->Kill(pid_, pidfd_.get(), signal);
  // ESRCH: somebody else has reaped it, or the whole group has ended.
  if (result == 0 || errno == ESRCH) return absl::OkStatus();
  return ErrnoStatus(errno, "kill",
                     absl::StrCat("signal ", signal, " to ", name_));
}

bool ChildProcess::TryReap() {
  absl::MutexLock lock(&mu_);
  static_cast<void>(Look(/*reap=*/true));
  return reaped_;
}

void ChildProcess::Detach() {
  absl::MutexLock lock(&mu_);
  sys_ = Syscalls::Real();
}

void ChildProcess::Abandon(std::shared_ptr<ChildProcess> child, bool kill) {
  // The number is the parent's child here, which is nobody's to end.
  if (child->fork_generation_ != ForkGeneration()) return;
  if (kill) static_cast<void>(child->Kill(SIGKILL));
  if (child->TryReap()) return;
  child->Detach();
  Reaper::Take(std::move(child));
}

}  // namespace internal
}  // namespace flow
