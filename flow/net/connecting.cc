#include "flow/net/connecting.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/endpoint.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/mono_time.h"

namespace flow {
namespace internal {
namespace {

constexpr char kOperation[] = "connect";
constexpr absl::Duration kFirstBackoff = absl::Microseconds(500);
// Two system calls each time: 16 a second (P4).
constexpr absl::Duration kLongestBackoff = absl::Milliseconds(125);

std::string Where(const Endpoint& peer) {
  return absl::StrCat(peer.scheme(), " ", peer.ToString());
}

}  // namespace

Connecting::Connecting(Syscalls* sys, const SocketAddress& to,
                       const Limits& limits)
    : sys_(sys),
      to_(to),
      where_(Where(to.name())),
      limits_(limits),
      sleeper_(sys, limits_, nullptr),
      backoff_(kFirstBackoff) {}

Connecting::Result Connecting::Begin() {
  fd_ = UniqueFd(sys_->Socket(to_.family(), SOCK_STREAM | SOCK_NONBLOCK, 0),
                 sys_);
  if (!fd_.valid()) return ErrnoStatus(errno, "socket", where_);
  return Try();
}

Connecting::Result Connecting::Resume(Woke woke) {
  if (woke != Woke::kRetry) return LimitStatus(woke, kOperation, where_, 0);
  const int error = wait_.fd >= 0 ? PendingError() : 0;
  if (error != 0) return ErrnoStatus(error, kOperation, where_);
  return Try();
}

Connecting::Result Connecting::Try() {
  // In this order: a token that was cancelled before is seen by the check, one
  // that is cancelled after it ends the sleep.
  sleeper_.Arm();
  if (const Woke passed = sleeper_.Check(); passed != Woke::kRetry) {
    return LimitStatus(passed, kOperation, where_, 0);
  }
  // After a wait this asks what came of it: 0 or EISCONN if it is connected,
  // EALREADY if not yet.
  if (sys_->Connect(fd_.get(), to_.generic(), to_.length) == 0) {
    return std::move(fd_);
  }
  const int error = errno;
  if (TreatmentOf(SysCall::kConnect, error) == Treatment::kDone) {
    return std::move(fd_);
  }
  if (!MustWait(error)) return ErrnoStatus(error, kOperation, where_);
  return std::nullopt;
}

// Sets wait_: how to wait before connect is called again. False: `error` is a
// failure.
bool Connecting::MustWait(int error) {
  switch (TreatmentOf(SysCall::kConnect, error)) {
    case Treatment::kAgain:
      wait_ = Wait::Until(MonoTime::Past());
      return true;
    case Treatment::kWait:
      wait_ = Wait::ForFd(fd_.get(), POLLOUT);
      return true;
    case Treatment::kShortage:
      // A unix listener's full queue: poll can't tell when there is room.
      backoff_ = std::min(backoff_ * 2, kLongestBackoff);
      wait_ = Wait::Until(sys_->Now() + backoff_);
      return true;
    case Treatment::kDone:
    case Treatment::kEnd:
    case Treatment::kFail:
      break;
  }
  return false;
}

// The errno with which a connect that ran in the background has failed; 0 if it
// has not. (SO_ERROR may be asked here: this is no flow yet.)
int Connecting::PendingError() const {
  int error = 0;
  socklen_t length = sizeof(error);
  if (sys_->Getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
    return errno;
  }
  return error;
}

}  // namespace internal
}  // namespace flow
