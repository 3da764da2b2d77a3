#include "flow/testing/scripted_syscalls.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace script {

Outcome Err(int error) { return Outcome(Outcome::Kind::kError, error); }
Outcome Ready(short revents) { return Outcome(Outcome::Kind::kReady, revents); }
Outcome Real() { return Outcome(Outcome::Kind::kReal, 0); }

Step Read(Outcome outcome) { return Step(Call::kRead, std::move(outcome)); }
Step Readv(Outcome outcome) { return Step(Call::kReadv, std::move(outcome)); }
Step Readv2(Outcome outcome) { return Step(Call::kReadv2, std::move(outcome)); }
Step Recv(Outcome outcome) { return Step(Call::kRecv, std::move(outcome)); }
Step Recvmsg(Outcome outcome) {
  return Step(Call::kRecvmsg, std::move(outcome));
}
Step Write(Outcome outcome) { return Step(Call::kWrite, std::move(outcome)); }
Step Writev(Outcome outcome) { return Step(Call::kWritev, std::move(outcome)); }
Step Writev2(Outcome outcome) {
  return Step(Call::kWritev2, std::move(outcome));
}
Step Send(Outcome outcome) { return Step(Call::kSend, std::move(outcome)); }
Step Sendmsg(Outcome outcome) {
  return Step(Call::kSendmsg, std::move(outcome));
}
Step Poll(Outcome outcome) { return Step(Call::kPoll, std::move(outcome)); }
Step Accept(Outcome outcome) { return Step(Call::kAccept, std::move(outcome)); }
Step Connect(Outcome outcome) {
  return Step(Call::kConnect, std::move(outcome));
}
Step Shutdown(Outcome outcome) {
  return Step(Call::kShutdown, std::move(outcome));
}
Step Close(Outcome outcome) { return Step(Call::kClose, std::move(outcome)); }

Step Step::OnFd(int fd) && {
  fd_ = fd;
  return std::move(*this);
}
Step Step::Requesting(size_t bytes) && {
  requested_ = bytes;
  return std::move(*this);
}
Step Step::Offering(std::string bytes) && {
  offered_ = std::move(bytes);
  return std::move(*this);
}
Step Step::Times(int times) && {
  times_ = times;
  return std::move(*this);
}
Step Step::AndDo(std::function<void()> action) && {
  action_ = std::move(action);
  return std::move(*this);
}

std::string Outcome::ToString() const {
  switch (kind_) {
    case Kind::kResult:
      return absl::StrCat(result_);
    case Kind::kBytes:
      return absl::StrCat(bytes_.size(), " bytes");
    case Kind::kError:
      return ErrnoName(static_cast<int>(result_));
    case Kind::kReady:
      return absl::StrCat("ready ", result_);
    case Kind::kReal:
      return "the kernel's";
  }
  return "unknown";
}

std::string Step::ToString() const {
  return absl::StrCat(CallName(call_), " = ", outcome_.ToString(),
                      times_ == 1 ? "" : absl::StrCat(", ", times_, " times"));
}

}  // namespace script

namespace {

// What scripts are about unless told otherwise. Not close: a test that says
// nothing of it should not have to.
CallSet CommonlyScripted() {
  return CallSet::Moving() |
         CallSet{Call::kPoll, Call::kAccept, Call::kConnect, Call::kShutdown};
}

CallSet ScriptedCalls(const std::vector<script::Step>& steps,
                      ScriptedSyscalls::Others others) {
  CallSet calls;
  if (others == ScriptedSyscalls::Others::kFail) calls = CommonlyScripted();
  for (const script::Step& step : steps) calls = calls | CallSet{step.call()};
  return calls;
}

std::string Gather(absl::Span<const iovec> memory, size_t max_bytes) {
  std::string bytes;
  for (const iovec& piece : memory) {
    const size_t n = std::min(piece.iov_len, max_bytes - bytes.size());
    if (n > 0) bytes.append(static_cast<const char*>(piece.iov_base), n);
  }
  return bytes;
}

void Scatter(absl::string_view bytes, absl::Span<const iovec> memory) {
  for (const iovec& piece : memory) {
    const size_t n = std::min(piece.iov_len, bytes.size());
    if (n > 0) std::memcpy(piece.iov_base, bytes.data(), n);
    bytes.remove_prefix(n);
  }
}

int64_t FailWith(int error) {
  errno = error;
  return -1;
}

int64_t PollAnswer(const Request& request, const script::Outcome& outcome) {
  for (pollfd& p : request.polled) p.revents = 0;
  if (outcome.kind() != script::Outcome::Kind::kReady) return outcome.result();
  if (request.polled.empty()) return 0;
  request.polled[0].revents = static_cast<short>(outcome.result());
  return 1;
}

}  // namespace

std::string script::Step::Mismatch(const Request& request) const {
  if (request.call != call_) {
    return absl::StrCat("the script has ", CallName(call_), " here");
  }
  if (fd_.has_value() && *fd_ != request.fd) {
    return absl::StrCat("the script has fd ", *fd_, ", not ", request.fd);
  }
  if (requested_.has_value() && *requested_ != request.bytes()) {
    return absl::StrCat("the script has a length of ", *requested_);
  }
  if (offered_.has_value() &&
      Gather(request.memory, offered_->size()) != *offered_) {
    return "the bytes are not those of the script";
  }
  const size_t moved = outcome_.kind() == Outcome::Kind::kBytes
                           ? outcome_.bytes().size()
                       : outcome_.kind() == Outcome::Kind::kResult
                           ? static_cast<size_t>(outcome_.result())
                           : 0;
  if (CallSet::Moving().contains(call_) && moved > request.bytes()) {
    return absl::StrCat("the script moves ", moved, " bytes");
  }
  return "";
}

std::string PatternBytes(size_t offset, size_t count) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<char>('a' + (offset + i) % 26);
  }
  return bytes;
}

ScriptedSyscalls::ScriptedSyscalls(std::vector<script::Step> script,
                                   Others others, flow::Syscalls* base)
    : InterceptingSyscalls(base), scripted_(ScriptedCalls(script, others)) {
  absl::MutexLock lock(&mu_);
  steps_.assign(script.begin(), script.end());
}

ScriptedSyscalls::~ScriptedSyscalls() { Verify(); }

bool ScriptedSyscalls::Verify() {
  absl::MutexLock lock(&mu_);
  if (!steps_.empty()) {
    as_written_ = false;
    ADD_FAILURE() << "the script still has " << CallName(steps_.front().call())
                  << " and " << steps_.size() - 1 << " more steps; trace:\n"
                  << trace_.ToString();
    steps_.clear();
  }
  return as_written_;
}

int ScriptedSyscalls::calls() const {
  absl::MutexLock lock(&mu_);
  return calls_;
}

std::string ScriptedSyscalls::written() const {
  absl::MutexLock lock(&mu_);
  return written_;
}

int64_t ScriptedSyscalls::OnCall(const Request& request, Real real) {
  if (!scripted_.contains(request.call)) return real(Request::kAllBytes);
  const int before = errno;
  const std::optional<script::Step> step = Take(request);
  // Without a lock: the action may use this very object.
  if (step.has_value() && step->action() != nullptr) step->action()();
  errno = before;
  const int64_t result =
      step.has_value() ? Answer(request, step->outcome(), real) : FailWith(EIO);
  const int error = errno;
  trace_.Add(request, result, error,
             step.has_value() ? "script" : "unscripted");
  errno = error;
  return result;
}

std::optional<script::Step> ScriptedSyscalls::Take(const Request& request) {
  absl::MutexLock lock(&mu_);
  const std::string why = steps_.empty() ? "the script is at its end"
                                         : steps_.front().Mismatch(request);
  if (!why.empty()) {
    as_written_ = false;
    ADD_FAILURE() << CallName(request.call) << " on fd " << request.fd << ", "
                  << request.bytes() << " bytes: " << why << "; trace:\n"
                  << trace_.ToString();
    return std::nullopt;
  }
  ++calls_;
  script::Step step = steps_.front();
  if (++used_of_first_ >= step.times()) {
    steps_.pop_front();
    used_of_first_ = 0;
  }
  return step;
}

int64_t ScriptedSyscalls::Answer(const Request& request,
                                 const script::Outcome& outcome, Real real) {
  using Kind = script::Outcome::Kind;
  if (outcome.kind() == Kind::kReal) return real(Request::kAllBytes);
  if (request.call == Call::kClose) {
    const int before = errno;
    static_cast<void>(real(Request::kAllBytes));
    errno = before;
  }
  if (outcome.kind() == Kind::kError) {
    return FailWith(static_cast<int>(outcome.result()));
  }
  if (request.call == Call::kPoll) return PollAnswer(request, outcome);
  if (CallSet::Moving().contains(request.call)) return Move(request, outcome);
  return outcome.result();
}

int64_t ScriptedSyscalls::Move(const Request& request,
                               const script::Outcome& outcome) {
  absl::MutexLock lock(&mu_);
  if (CallSet::Writing().contains(request.call)) {
    const auto n = static_cast<size_t>(outcome.result());
    written_ += Gather(request.memory, n);
    return outcome.result();
  }
  if (outcome.kind() == script::Outcome::Kind::kBytes) {
    Scatter(outcome.bytes(), request.memory);
    return static_cast<int64_t>(outcome.bytes().size());
  }
  const auto n = static_cast<size_t>(outcome.result());
  Scatter(PatternBytes(pattern_offset_, n), request.memory);
  pattern_offset_ += n;
  return outcome.result();
}

}  // namespace flow_testing
