#include "flow/net/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/fd/fd_kind.h"
#include "flow/fd/socket_flow.h"
#include "flow/net/address.h"
#include "flow/net/failures.h"
#include "flow/net/resolver.h"
#include "flow/sleeper.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace {

using internal::FdKind;
using internal::FdNames;
using internal::LimitStatus;
using internal::Sleeper;
using internal::SocketAddress;
using internal::Woke;

constexpr char kOperation[] = "connect";
// Go's net.partialDeadline has the same: less is not worth a try.
constexpr absl::Duration kLeastShare = absl::Seconds(2);
// Two system calls each time: 16 a second (P4).
constexpr absl::Duration kLongestBackoff = absl::Milliseconds(125);

// The errno with which a connect that ran in the background has failed; 0 if it
// has not. (SO_ERROR may be asked here: this is no flow yet.)
int PendingError(Syscalls* sys, int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (sys->Getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
    return errno;
  }
  return error;
}

// How to wait before connect is called again; not set if `error` is a failure.
std::optional<Wait> WaitAfter(Syscalls* sys, int fd, int error,
                              absl::Duration& backoff) {
  switch (TreatmentOf(SysCall::kConnect, error)) {
    case Treatment::kAgain:
      return Wait::Until(MonoTime::Past());
    case Treatment::kWait:
      return Wait::ForFd(fd, POLLOUT);
    case Treatment::kShortage:
      // A unix listener's full queue: poll can't tell when there is room.
      backoff = std::min(backoff * 2, kLongestBackoff);
      return Wait::Until(sys->Now() + backoff);
    case Treatment::kDone:
    case Treatment::kEnd:
    case Treatment::kFail:
      break;
  }
  return std::nullopt;
}

absl::StatusOr<UniqueFd> ConnectTo(Syscalls* sys, const SocketAddress& to,
                                   const Limits& limits) {
  const Endpoint peer = to.name();
  const std::string where = absl::StrCat(peer.scheme(), " ", peer.ToString());
  UniqueFd fd(sys->Socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK, 0), sys);
  if (!fd.valid()) return ErrnoStatus(errno, "socket", where);
  Sleeper sleeper(sys, limits, nullptr);
  absl::Duration backoff = absl::Microseconds(500);
  for (;;) {
    // In this order: a token that was cancelled before is seen by the check,
    // one that is cancelled after it ends the sleep.
    sleeper.Arm();
    if (const Woke passed = sleeper.Check(); passed != Woke::kRetry) {
      return LimitStatus(passed, kOperation, where, 0);
    }
    // After a wait this asks what came of it: 0 or EISCONN if it is connected,
    // EALREADY if not yet.
    if (sys->Connect(fd.get(), to.generic(), to.length) == 0) return fd;
    int error = errno;
    if (TreatmentOf(SysCall::kConnect, error) == Treatment::kDone) return fd;
    const std::optional<Wait> wait = WaitAfter(sys, fd.get(), error, backoff);
    if (!wait.has_value()) return ErrnoStatus(error, kOperation, where);
    const Woke woke = sleeper.Sleep(*wait);
    if (woke != Woke::kRetry) return LimitStatus(woke, kOperation, where, 0);
    error = wait->fd >= 0 ? PendingError(sys, fd.get()) : 0;
    if (error != 0) return ErrnoStatus(error, kOperation, where);
  }
}

Endpoint AskName(Syscalls* sys, int fd) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  sockaddr* const generic = reinterpret_cast<sockaddr*>(&address.storage);
  if (sys->Getsockname(fd, generic, &address.length) != 0) return {};
  return address.name();
}

absl::StatusOr<Flow> MakeFlow(Syscalls* sys, UniqueFd fd,
                              const SocketAddress& to, bool nodelay) {
  FdNames names = {AskName(sys, fd.get()), to.name()};
  if (to.family() == AF_UNIX) {
    return internal::FlowOnSocket(sys, std::move(fd), FdKind::kUnix,
                                  std::move(names));
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
  if (nodelay) {
    sys->Setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return internal::FlowOnSocket(sys, std::move(fd), FdKind::kTcp,
                                std::move(names));
}

// The limits of the next of `left` addresses.
Limits ShareOf(Syscalls* sys, const Limits& limits, size_t left) {
  const MonoTime deadline = std::min(limits.deadline, limits.cancel.deadline());
  if (left <= 1 || deadline.is_never()) return limits;
  const MonoTime now = sys->Now();
  const absl::Duration share =
      std::max((deadline - now) / static_cast<int64_t>(left), kLeastShare);
  return limits.Within(now + share);
}

// OK unless one of the limits has been passed.
absl::Status CheckLimits(Syscalls* sys, const Limits& limits,
                         const Address& address) {
  const Woke woke = Sleeper(sys, limits, nullptr).Check();
  return woke == Woke::kRetry
             ? absl::OkStatus()
             : LimitStatus(woke, "dial", address.ToString(), 0);
}

}  // namespace

absl::StatusOr<Flow> Dial(absl::string_view address, const Limits& limits,
                          const NetOptions& options) {
  Syscalls* const sys = options.sys != nullptr ? options.sys : Syscalls::Real();
  const absl::StatusOr<Address> parsed = ParseAddress(address);
  if (!parsed.ok()) return parsed.status();
  if (parsed->scheme == Address::Scheme::kTcp && parsed->numeric_port() == 0) {
    return InvalidArgument(absl::StrCat("bad address \"", parsed->ToString(),
                                        "\": nobody can listen on port 0"));
  }
  if (absl::Status s = CheckLimits(sys, limits, *parsed); !s.ok()) return s;
  const absl::StatusOr<std::vector<SocketAddress>> all =
      internal::Resolve(sys, *parsed, /*to_listen=*/false, limits);
  if (!all.ok()) return all.status();

  std::vector<absl::Status> failures;
  for (size_t i = 0; i < all->size(); ++i) {
    const SocketAddress& to = (*all)[i];
    const Limits share = ShareOf(sys, limits, all->size() - i);
    absl::StatusOr<UniqueFd> fd = ConnectTo(sys, to, share);
    absl::StatusOr<Flow> made =
        fd.ok() ? MakeFlow(sys, *std::move(fd), to, options.tcp_nodelay)
                : fd.status();
    if (made.ok()) return made;
    failures.push_back(made.status());
    if (absl::Status s = CheckLimits(sys, limits, *parsed); !s.ok()) return s;
  }
  return internal::JoinFailures(kOperation, parsed->ToString(), failures);
}

}  // namespace flow
