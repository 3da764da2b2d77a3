#include "flow/testing/torture/torture_syscalls.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace flow_testing {
namespace {

constexpr int kForever = std::numeric_limits<int>::max();
// A kernel may interrupt a call, and lose a client, many times running, but not
// without end: each time something else has happened meanwhile.
constexpr int kManyTimes = 100;

bool IsClientGone(int error) {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

int TimesOf(const TortureFault& fault) {
  switch (fault.mode) {
    case FaultMode::kNone:
      return 0;
    case FaultMode::kOnce:
    case FaultMode::kShort:
      return 1;
    case FaultMode::kForever:
      if (fault.error == EINTR) return kManyTimes;
      if (fault.call == Call::kAccept && IsClientGone(fault.error)) {
        return kManyTimes;
      }
      return kForever;
    case FaultMode::kShortForever:
      return kForever;
  }
  return 0;
}

// The call does its work although it says that it failed.
bool WorksAllTheSame(const Request& request, int error) {
  if (request.call == Call::kClose) return true;
  if (request.call == Call::kShutdown) return error == ENOTCONN;
  if (request.call == Call::kConnect) {
    return error == EINTR || error == EINPROGRESS || error == EALREADY ||
           error == EISCONN;
  }
  return false;
}

bool MakesDescriptor(Call call) {
  const CallSet making = {Call::kEventfd, Call::kEpollCreate, Call::kOpen,
                          Call::kSocket,  Call::kAccept,      Call::kPidfdOpen,
                          Call::kPtySlave};
  return making.contains(call);
}

bool IsShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM ||
         error == ENOBUFS;
}

struct ThreadStart {
  void* (*body)(void*);
  void* argument;
  std::shared_ptr<std::atomic<int>> running;
};

void* RunCounted(void* argument) {
  const std::unique_ptr<ThreadStart> start(static_cast<ThreadStart*>(argument));
  void* const result = start->body(start->argument);
  start->running->fetch_sub(1);
  return result;
}

}  // namespace

absl::string_view FaultModeName(FaultMode mode) {
  switch (mode) {
    case FaultMode::kNone:
      return "none";
    case FaultMode::kOnce:
      return "once";
    case FaultMode::kForever:
      return "forever";
    case FaultMode::kShort:
      return "short";
    case FaultMode::kShortForever:
      return "short-forever";
  }
  return "?";
}

std::string TortureFault::ToString() const {
  if (mode == FaultMode::kNone) return "--mode=none";
  std::string text = absl::StrCat("--call=", CallName(call), " --k=", k);
  if (error != 0) absl::StrAppend(&text, " --error=", error);
  return absl::StrCat(text, " --mode=", FaultModeName(mode));
}

bool MustBeSurvived(const TortureFault& fault) {
  const Call call = fault.call;
  const int error = fault.error;
  // Wake-ups and readiness come another way where these can't be had.
  if (call == Call::kEventfd || call == Call::kEpollCreate) {
    return IsShortage(error);
  }
  switch (fault.mode) {
    case FaultMode::kNone:
    case FaultMode::kShort:
    case FaultMode::kShortForever:
      return true;
    case FaultMode::kForever:
      return error == EINTR && call != Call::kClose &&
             (CallSet::Moving().contains(call) || call == Call::kPoll);
    case FaultMode::kOnce:
      break;
  }
  if (CallSet::Moving().contains(call) || call == Call::kSplice) {
    if (error == EINTR || error == EAGAIN) return true;
  }
  if (call == Call::kSend || call == Call::kSendmsg) {
    return error == ENOBUFS || error == ENOMEM;
  }
  if (call == Call::kAccept) {
    return error == EINTR || error == EAGAIN || IsClientGone(error) ||
           IsShortage(error);
  }
  if (call == Call::kConnect) return error == EINTR || error == EINPROGRESS;
  if (call == Call::kShutdown) return error == ENOTCONN;
  return call == Call::kPoll || call == Call::kEpollWait;
}

TortureSyscalls::TortureSyscalls(TortureFault fault, flow::Syscalls* base)
    : InterceptingSyscalls(base),
      fault_(fault),
      times_(TimesOf(fault)),
      trace_(/*capacity=*/400),
      threads_(std::make_shared<std::atomic<int>>(0)) {}

TortureSyscalls::~TortureSyscalls() = default;

int TortureSyscalls::StartThread(pthread_t* thread, void* (*body)(void*),
                                 void* argument) {
  auto start =
      std::make_unique<ThreadStart>(ThreadStart{body, argument, threads_});
  threads_->fetch_add(1);
  const int error =
      InterceptingSyscalls::StartThread(thread, &RunCounted, start.get());
  if (error == 0) {
    static_cast<void>(start.release());
  } else {
    threads_->fetch_sub(1);
  }
  return error;
}

int TortureSyscalls::fired() const {
  absl::MutexLock lock(&mu_);
  return fired_;
}

TortureSyscalls::Counts TortureSyscalls::counts() const {
  absl::MutexLock lock(&mu_);
  return counts_;
}

std::vector<std::string> TortureSyscalls::bad_calls() const {
  absl::MutexLock lock(&mu_);
  return bad_calls_;
}

TortureSyscalls::Verdict TortureSyscalls::Decide(const Request& request) {
  absl::MutexLock lock(&mu_);
  // Without a descriptor a poll needs no memory, and has nothing to fail for.
  if (request.call == Call::kPoll && request.polled.empty()) return {};
  if (CallSet::Moving().contains(request.call) &&
      eventfds_.count(request.fd) != 0) {
    return {};
  }
  if (request.call == Call::kClose) eventfds_.erase(request.fd);
  const int n = ++counts_[static_cast<size_t>(request.call)];
  if (fault_.mode == FaultMode::kNone || request.call != fault_.call) return {};
  if (n < fault_.k || n - fault_.k >= times_) return {};
  ++fired_;
  Verdict verdict;
  verdict.error = fault_.error;
  verdict.is_short = fault_.mode == FaultMode::kShort ||
                     fault_.mode == FaultMode::kShortForever;
  return verdict;
}

int64_t TortureSyscalls::OnCall(const Request& request, Real real) {
  activity_.fetch_add(1);
  const int before = errno;
  const Verdict verdict = Decide(request);
  errno = before;
  int64_t result = -1;
  int error = verdict.error;
  if (error == 0) {
    result = real(verdict.is_short ? 1 : Request::kAllBytes);
    error = errno;
    CheckMade(request, result);
  } else if (WorksAllTheSame(request, error)) {
    static_cast<void>(real(Request::kAllBytes));
  }
  trace_.Add(request, result, error,
             verdict.error != 0 ? "fault"
             : verdict.is_short ? "cut"
                                : "");
  errno = error;
  return result;
}

// What the kernel itself says to flow's calls.
void TortureSyscalls::CheckMade(const Request& request, int64_t result) {
  const int error = errno;
  std::string complaint;
  if (result < 0 && error == EBADF && request.fd >= 0) {
    complaint = absl::StrCat(CallName(request.call), " on fd ", request.fd,
                             ", which is not open");
  }
  if (result > 2 && MakesDescriptor(request.call)) {
    const int flags =
        flow::Syscalls::Real()->Fcntl(static_cast<int>(result), F_GETFD, 0);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) {
      complaint = absl::StrCat(CallName(request.call),
                               " made a descriptor that exec would keep");
    }
  }
  errno = error;
  absl::MutexLock lock(&mu_);
  if (request.call == Call::kEventfd && result >= 0) {
    eventfds_.insert(static_cast<int>(result));
  }
  if (complaint.empty()) return;
  bad_calls_.push_back(std::move(complaint));
}

}  // namespace flow_testing
