#include "flow/testing/fault_syscalls.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace flow_testing {
namespace {

CallSet Watched(const FaultOptions& options) {
  CallSet calls = options.calls;
  for (const NthFault& fault : options.nth) calls = calls | fault.calls;
  return calls;
}

bool Moves(Call call) {
  return CallSet::Moving().contains(call) || CallSet::Kernel().contains(call);
}

bool CanBeInterrupted(const Request& request) {
  if (request.call == Call::kPoll || request.call == Call::kEpollWait) {
    return request.timeout_ms != 0;
  }
  return Moves(request.call) || request.call == Call::kAccept ||
         request.call == Call::kConnect;
}

bool CanSayAgain(Call call) {
  return CallSet::Moving().contains(call) || call == Call::kAccept;
}

bool IsSend(Call call) { return call == Call::kSend || call == Call::kSendmsg; }

}  // namespace

FaultSyscalls::FaultSyscalls(FaultOptions options, flow::Syscalls* base)
    : InterceptingSyscalls(base),
      options_(std::move(options)),
      watched_(Watched(options_)),
      trace_(options_.trace_capacity),
      random_(options_.seed),
      nth_seen_(options_.nth.size(), 0) {}

int64_t FaultSyscalls::faults() const {
  absl::MutexLock lock(&mu_);
  return faults_;
}

int64_t FaultSyscalls::nth_faults() const {
  absl::MutexLock lock(&mu_);
  return nth_faults_;
}

std::string FaultSyscalls::ToString() const {
  return absl::StrCat("FaultSyscalls ", options_.ToString(),
                      "; FLOW_TEST_SEED=", options_.seed, " replays it");
}

int64_t FaultSyscalls::OnCall(const Request& request, Real real) {
  if (request.call == Call::kClose) Forget(request.fd);
  if (!watched_.contains(request.call)) return real(Request::kAllBytes);
  const int before = errno;
  const Verdict verdict = Decide(request, MayBlock(request));
  errno = before;

  int64_t result = 0;
  if (!verdict.answer.has_value() || request.call == Call::kClose) {
    // A close that fails closes all the same, as Linux does (close(2)).
    result = real(verdict.max_bytes);
  }
  int error = errno;
  if (verdict.answer.has_value()) {
    result = *verdict.answer;
    error = result < 0 ? verdict.error : before;
  }
  if (!verdict.answer.has_value()) CountBytes(request, result);
  trace_.Add(request, result, error, verdict.note);
  errno = error;
  return result;
}

// Before the close: afterwards the number may be somebody else's already.
void FaultSyscalls::Forget(int fd) {
  absl::MutexLock lock(&mu_);
  descriptors_.erase(fd);
}

bool FaultSyscalls::MayBlock(const Request& request) {
  if (request.dont_wait || !CanSayAgain(request.call)) return false;
  if (options_.not_yet == 0) return true;  // nobody will ask
  const int flags = base()->Fcntl(request.fd, F_GETFL, 0);
  return flags < 0 || (flags & O_NONBLOCK) == 0;
}

// The order is fixed: rules by number, a reset, chance. One draw for each kind
// of fault that is on, so that a trace depends on the seed and the calls alone.
FaultSyscalls::Verdict FaultSyscalls::Decide(const Request& request,
                                             bool may_block) {
  absl::MutexLock lock(&mu_);
  Verdict verdict;
  if (const std::optional<int> error = NthError(request.call)) {
    ++nth_faults_;
    return Fault(*error);
  }
  if (!options_.calls.contains(request.call)) return verdict;
  if (const std::optional<Verdict> reset = ResetVerdict(request)) {
    ++faults_;
    return *reset;
  }
  if (const int error = RandomError(request, may_block)) return Fault(error);
  verdict.max_bytes = RandomLimit(request);
  if (verdict.max_bytes < request.bytes()) {
    ++faults_;
    verdict.note = "cut";
  }
  return verdict;
}

FaultSyscalls::Verdict FaultSyscalls::Fault(int error) {
  ++faults_;
  Verdict verdict;
  verdict.answer = -1;
  verdict.error = error;
  verdict.note = "fault";
  return verdict;
}

std::optional<int> FaultSyscalls::NthError(Call call) {
  std::optional<int> error;
  for (size_t i = 0; i < options_.nth.size(); ++i) {
    const NthFault& fault = options_.nth[i];
    if (!fault.calls.contains(call)) continue;
    const int64_t past = ++nth_seen_[i] - fault.k;
    if (past >= 0 && past < fault.times && !error.has_value()) {
      error = fault.error;
    }
  }
  return error;
}

std::optional<FaultSyscalls::Verdict> FaultSyscalls::ResetVerdict(
    const Request& request) {
  if (!options_.reset_after_read.has_value() &&
      !options_.reset_after_written.has_value()) {
    return std::nullopt;
  }
  if (request.call == Call::kPoll) return ResetPoll(request);
  const bool moves = CallSet::Moving().contains(request.call);
  if (!moves && request.call != Call::kShutdown) return std::nullopt;
  Descriptor& d = descriptors_[request.fd];
  ResetIfDue(&d);
  if (d.reset == Reset::kNone) return std::nullopt;

  Verdict verdict;
  verdict.note = "reset";
  verdict.answer = -1;
  if (!moves) {
    verdict.error = ENOTCONN;
  } else if (d.reset == Reset::kPending) {
    d.reset = Reset::kReported;
    verdict.error = ECONNRESET;
  } else if (CallSet::Reading().contains(request.call)) {
    verdict.answer = 0;
  } else {
    verdict.error = EPIPE;
  }
  return verdict;
}

std::optional<FaultSyscalls::Verdict> FaultSyscalls::ResetPoll(
    const Request& request) {
  int64_t ready = 0;
  for (const pollfd& p : request.polled) {
    const auto found = descriptors_.find(p.fd);
    if (found != descriptors_.end() && found->second.reset != Reset::kNone) {
      ++ready;
    }
  }
  if (ready == 0) return std::nullopt;
  for (pollfd& p : request.polled) {
    const auto found = descriptors_.find(p.fd);
    p.revents = 0;
    if (found == descriptors_.end()) continue;
    if (found->second.reset == Reset::kNone) continue;
    const int error = found->second.reset == Reset::kPending ? POLLERR : 0;
    p.revents =
        static_cast<short>((p.events & (POLLIN | POLLOUT)) | POLLHUP | error);
  }
  Verdict verdict;
  verdict.answer = ready;
  verdict.note = "reset";
  return verdict;
}

int FaultSyscalls::RandomError(const Request& request, bool may_block) {
  if (CanBeInterrupted(request) && Chance(options_.interrupted)) return EINTR;
  if (CanSayAgain(request.call) && !may_block && Chance(options_.not_yet)) {
    return EAGAIN;
  }
  if (IsSend(request.call) && Chance(options_.no_buffers)) {
    return Below(2) == 0 ? ENOBUFS : ENOMEM;
  }
  if (request.call == Call::kAccept && Chance(options_.accept_fails)) {
    constexpr int kErrors[] = {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH};
    return kErrors[Below(4)];
  }
  if (request.call == Call::kClose && Chance(options_.close_fails)) return EIO;
  return 0;
}

size_t FaultSyscalls::RandomLimit(const Request& request) {
  size_t limit = Request::kAllBytes;
  if (!Moves(request.call)) return limit;
  if (options_.max_transfer != 0 && Chance(options_.cut)) {
    limit = 1 + Below(options_.max_transfer);
  }
  if (!CallSet::Moving().contains(request.call)) return limit;
  // A transfer goes up to the byte at which the reset strikes, not over it.
  const bool reads = CallSet::Reading().contains(request.call);
  const std::optional<uint64_t> end =
      reads ? options_.reset_after_read : options_.reset_after_written;
  if (end.has_value()) {
    const Descriptor& d = descriptors_[request.fd];
    limit = std::min<uint64_t>(limit, *end - (reads ? d.read : d.written));
  }
  return limit;
}

void FaultSyscalls::CountBytes(const Request& request, int64_t moved) {
  if (moved <= 0 || !CallSet::Moving().contains(request.call)) return;
  absl::MutexLock lock(&mu_);
  Descriptor& d = descriptors_[request.fd];
  uint64_t& count =
      CallSet::Reading().contains(request.call) ? d.read : d.written;
  count += static_cast<uint64_t>(moved);
  ResetIfDue(&d);  // a poll reports it from now on
}

void FaultSyscalls::ResetIfDue(Descriptor* d) const {
  if (d->reset == Reset::kNone &&
      (d->read >= options_.reset_after_read.value_or(UINT64_MAX) ||
       d->written >= options_.reset_after_written.value_or(UINT64_MAX))) {
    d->reset = Reset::kPending;
  }
}

bool FaultSyscalls::Chance(double probability) {
  if (probability <= 0) return false;
  // 53 random bits: a double's worth, the same on every machine.
  return static_cast<double>(random_() >> 11) * 0x1p-53 < probability;
}

uint64_t FaultSyscalls::Below(uint64_t bound) { return random_() % bound; }

}  // namespace flow_testing
