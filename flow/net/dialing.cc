#include "flow/net/dialing.h"

#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/fd/fd_kind.h"
#include "flow/fd/socket_flow.h"
#include "flow/net/failures.h"
#include "flow/net/interleave.h"
#include "flow/net/socket_setup.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

constexpr char kOperation[] = "connect";
// RFC 8305, section 5: the delay "MUST NOT" be less.
constexpr absl::Duration kLeastDelay = absl::Milliseconds(10);
// How many may be under way at once: a name may stand for hundreds of addresses
// of which none answers.
constexpr size_t kMostAtOnce = 16;

}  // namespace

Dialing::Dialing(const Limits& limits, const NetOptions& options)
    : sys_(options.sys != nullptr ? options.sys : Syscalls::Real()),
      attempt_delay_(std::max(options.attempt_delay, kLeastDelay)),
      options_(options.socket),
      adaptive_(options.adaptive),
      limits_(limits),
      sleeper_(sys_, limits_, nullptr),
      sockets_(sys_) {}

Dialing::Result Dialing::Begin(absl::string_view text) {
  absl::StatusOr<Address> address = ParseAddress(text);
  if (!address.ok()) return address.status();
  address_ = *std::move(address);
  if (address_.listens() || (!address_.is_tcp() && !address_.is_unix())) {
    return InvalidArgument(absl::StrCat(
        "bad address \"", address_.ToString(),
        "\": Dial connects to tcp:, unix: and unix-abstract: alone"));
  }
  if (address_.is_tcp() && address_.numeric_port() == 0) {
    return InvalidArgument(absl::StrCat("bad address \"", address_.ToString(),
                                        "\": nobody can listen on port 0"));
  }
  options_ = address_.socket.Over(options_);
  if (absl::Status s = CheckFor(
          SocketRole::kDial, address_.is_tcp() ? AF_INET : AF_UNIX, options_);
      !s.ok()) {
    return s;
  }
  sleeper_.Arm();
  if (const Woke passed = sleeper_.Check(); passed != Woke::kRetry) {
    return GiveUp(passed, "dial");
  }
  resolution_.emplace(sys_, address_, /*to_listen=*/false);
  return LookUp(resolution_->Begin());
}

Dialing::Result Dialing::Resume(Woke woke) {
  // In this order: a token that was cancelled before is seen by the check, one
  // that is cancelled after it ends the sleep.
  sleeper_.Arm();
  if (woke == Woke::kRetry || HurryOn(woke)) woke = sleeper_.Check();
  if (woke == Woke::kStopped) return GiveUp(woke, "dial");
  if (woke != Woke::kRetry) {
    return GiveUp(woke, resolution_.has_value() ? "lookup" : kOperation);
  }
  return resolution_.has_value() ? LookUp(resolution_->Look()) : Race();
}

Dialing::Result Dialing::LookUp(
    std::optional<absl::StatusOr<Addresses>> answer) {
  if (!answer.has_value()) {
    wait_ = resolution_->wait();
    return std::nullopt;
  }
  if (!answer->ok()) return answer->status();
  all_ = Interleaved(**std::move(answer));
  resolution_.reset();
  sleeper_.SawProgress();
  return Race();
}

// One step of all that are under way, and of those whose time has come.
Dialing::Result Dialing::Race() {
  if (Result over = ResumeReady(); over.has_value()) return over;
  while (begun_ < all_.size()) {
    const MonoTime when = NextBegin();
    if (when != MonoTime::Past() && (when.is_never() || sys_->Now() < when)) {
      break;
    }
    if (Result over = BeginNext(); over.has_value()) return over;
    if (const Woke passed = sleeper_.Check(); passed != Woke::kRetry) {
      return GiveUp(passed, kOperation);
    }
  }
  if (under_way_.empty()) {
    DropAll();
    return JoinFailures(kOperation, address_.ToString(), failures_);
  }
  wait_ = sockets_.wait();
  wait_.until = std::min(wait_.until, NextBegin());
  for (const auto& each : under_way_) {
    wait_.until = std::min(wait_.until, each->wait().until);
  }
  return std::nullopt;
}

// Asks those that may have an answer for it.
Dialing::Result Dialing::ResumeReady() {
  if (under_way_.empty()) return std::nullopt;
  // The only one, and nothing else to wake up for: it is ready, or will say
  // that it is not.
  const bool sure = under_way_.size() == 1 && NextBegin().is_never();
  const std::vector<int> ready = sure ? std::vector<int>() : sockets_.Ready();
  for (size_t i = 0; i < under_way_.size();) {
    Connecting& one = *under_way_[i];
    const Wait& wait = one.wait();
    const bool ripe =
        sure || (wait.fd >= 0 ? absl::c_linear_search(ready, wait.fd)
                              : wait.until <= sys_->Now());
    if (!ripe) {
      ++i;
      continue;
    }
    sockets_.Remove(wait.fd);  // which the step may close, or give away
    const size_t before = under_way_.size();
    if (Result over = Settle(i, one.Resume()); over.has_value()) return over;
    if (under_way_.size() == before) ++i;
  }
  return std::nullopt;
}

Dialing::Result Dialing::BeginNext() {
  auto next = std::make_unique<Connecting>(sys_, all_[begun_], options_);
  Connecting::Result tried = next->Begin();
  if (tried.has_value() && absl::IsResourceExhausted(tried->status()) &&
      !under_way_.empty()) {
    // No descriptor for it: one of the others has to end first.
    next_begin_ = kNever;
    return std::nullopt;
  }
  sleeper_.SawProgress();
  if (++begun_ < all_.size()) {
    next_begin_ = sys_->Now() + attempt_delay_;
  }
  under_way_.push_back(std::move(next));
  return Settle(under_way_.size() - 1, std::move(tried));
}

// What came of a step of under_way_[index], whose socket is in no set now.
Dialing::Result Dialing::Settle(size_t index, Connecting::Result tried) {
  Connecting& one = *under_way_[index];
  if (!tried.has_value()) {
    if (one.wait().fd >= 0) sockets_.Add(one.wait().fd, one.wait().events);
    return std::nullopt;
  }
  if (tried->ok()) {
    Endpoint local = one.local();
    const SocketAddress& to = one.to();
    DropAll();
    return MakeFlow(**std::move(tried), std::move(local), to);
  }
  failures_.push_back(tried->status());
  under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(index));
  next_begin_ = MonoTime::Past();
  sleeper_.SawProgress();
  return std::nullopt;
}

// When the next address is to be begun with; kNever if something has to end
// before, or there is none left.
MonoTime Dialing::NextBegin() const {
  if (begun_ == all_.size()) return kNever;
  if (under_way_.empty()) return MonoTime::Past();
  return under_way_.size() < kMostAtOnce ? next_begin_ : kNever;
}

// Whether there is an address left to try instead of giving up for want of
// progress: it is begun with now.
bool Dialing::HurryOn(Woke woke) {
  if (woke != Woke::kStalled || begun_ == all_.size() ||
      next_begin_.is_never() || under_way_.size() == kMostAtOnce) {
    return false;
  }
  next_begin_ = MonoTime::Past();
  return true;
}

// Closes all that are under way, and what stood for them.
void Dialing::DropAll() {
  for (const auto& each : under_way_) {
    if (each->wait().fd >= 0) sockets_.Remove(each->wait().fd);
  }
  under_way_.clear();
  sockets_.Clear();
}

absl::StatusOr<Flow> Dialing::MakeFlow(UniqueFd fd, Endpoint local,
                                       const SocketAddress& to) const {
  FdNames names = {std::move(local), to.name()};
  return FlowOnSocket(sys_, std::move(fd),
                      to.family() == AF_UNIX ? FdKind::kUnix : FdKind::kTcp,
                      std::move(names), adaptive_);
}

// Nothing is open by the time that somebody hears of it.
absl::Status Dialing::GiveUp(Woke woke, absl::string_view operation) {
  std::string story = address_.ToString();
  for (const auto& each : under_way_) {
    absl::StrAppend(&story, "; no answer from ", each->where());
  }
  for (const absl::Status& each : failures_) {
    absl::StrAppend(&story, "; ", each.message());
  }
  DropAll();
  return LimitStatus(woke, operation, story, 0);
}

}  // namespace internal
}  // namespace flow
