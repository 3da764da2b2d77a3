#include "flow/net/dialing.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/fd/fd_kind.h"
#include "flow/fd/socket_flow.h"
#include "flow/net/failures.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"

namespace flow {
namespace internal {
namespace {

constexpr char kOperation[] = "connect";
// Go's net.partialDeadline has the same: less is not worth a try.
constexpr absl::Duration kLeastShare = absl::Seconds(2);

}  // namespace

Dialing::Dialing(const Limits& limits, const NetOptions& options)
    : sys_(options.sys != nullptr ? options.sys : Syscalls::Real()),
      nodelay_(options.tcp_nodelay),
      limits_(limits),
      sleeper_(sys_, limits_, nullptr) {}

const Wait& Dialing::wait() const {
  return connecting_.has_value() ? connecting_->wait() : resolution_->wait();
}

Sleeper& Dialing::sleeper() {
  return connecting_.has_value() ? connecting_->sleeper() : sleeper_;
}

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
  sleeper_.Arm();
  if (absl::Status s = CheckLimits(); !s.ok()) return s;
  resolution_.emplace(sys_, address_, /*to_listen=*/false);
  return LookUp(resolution_->Begin());
}

Dialing::Result Dialing::Resume(Woke woke) {
  if (woke == Woke::kStopped) {
    connecting_.reset();
    return LimitStatus(woke, "dial", address_.ToString(), 0);
  }
  if (connecting_.has_value()) return Settle(connecting_->Resume(woke));
  // In this order: a token that was cancelled before is seen by the check, one
  // that is cancelled after it ends the sleep.
  sleeper_.Arm();
  if (woke == Woke::kRetry) woke = sleeper_.Check();
  if (woke != Woke::kRetry) {
    return LimitStatus(woke, "lookup", address_.ToString(), 0);
  }
  return LookUp(resolution_->Look());
}

Dialing::Result Dialing::LookUp(
    std::optional<absl::StatusOr<Addresses>> answer) {
  if (!answer.has_value()) return std::nullopt;
  if (!answer->ok()) return answer->status();
  all_ = **std::move(answer);
  return Settle(TryNext());
}

Connecting::Result Dialing::TryNext() {
  const Limits share = ShareOf(all_.size() - begun_);
  connecting_.emplace(sys_, all_[begun_++], share);
  return connecting_->Begin();
}

// What came of the last address; then the next, until one has to be waited for.
Dialing::Result Dialing::Settle(Connecting::Result tried) {
  for (;; tried = TryNext()) {
    if (!tried.has_value()) return std::nullopt;
    // Nothing is open by the time that somebody hears of a failure.
    connecting_.reset();
    absl::StatusOr<Flow> made =
        tried->ok() ? MakeFlow(**std::move(tried), all_[begun_ - 1])
                    : tried->status();
    if (made.ok()) return made;
    failures_.push_back(made.status());
    if (absl::Status s = CheckLimits(); !s.ok()) return s;
    if (begun_ == all_.size()) break;
  }
  return JoinFailures(kOperation, address_.ToString(), failures_);
}

absl::StatusOr<Flow> Dialing::MakeFlow(UniqueFd fd,
                                       const SocketAddress& to) const {
  FdNames names = {LocalName(sys_, fd.get()), to.name()};
  if (to.family() == AF_UNIX) {
    return FlowOnSocket(sys_, std::move(fd), FdKind::kUnix, std::move(names));
  }
  // tcp(7), simultaneous open: a connect to a local port on which nobody
  // listens, and which the kernel happens to choose for this end, connects to
  // itself.
  if (names.local == names.peer) {
    return ErrnoStatus(ECONNREFUSED, kOperation,
                       absl::StrCat("tcp ", names.peer.ToString(),
                                    " was connected to itself"));
  }
  const int on = 1;
  // Fails only on a connection that is reset already, which a Read will tell.
  if (nodelay_) {
    sys_->Setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return FlowOnSocket(sys_, std::move(fd), FdKind::kTcp, std::move(names));
}

// The limits of the next of `left` addresses.
Limits Dialing::ShareOf(size_t left) const {
  const MonoTime deadline =
      std::min(limits_.deadline, limits_.cancel.deadline());
  if (left <= 1 || deadline.is_never()) return limits_;
  const MonoTime now = sys_->Now();
  const absl::Duration share =
      std::max((deadline - now) / static_cast<int64_t>(left), kLeastShare);
  return limits_.Within(now + share);
}

// OK unless one of the limits has been passed.
absl::Status Dialing::CheckLimits() {
  const Woke woke = sleeper_.Check();
  return woke == Woke::kRetry
             ? absl::OkStatus()
             : LimitStatus(woke, "dial", address_.ToString(), 0);
}

}  // namespace internal
}  // namespace flow
