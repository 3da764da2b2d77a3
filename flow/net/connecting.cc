#include "flow/net/connecting.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/endpoint.h"
#include "flow/fd/fd_kind.h"
#include "flow/net/socket_setup.h"
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
// How often a socket may be connected to itself before that is the answer.
constexpr int kMeetings = 3;

std::string Where(const Endpoint& peer) {
  return absl::StrCat(peer.scheme(), " ", peer.ToString());
}

}  // namespace

Connecting::Connecting(Syscalls* sys, const SocketAddress& to,
                       const SocketOptions& options)
    : sys_(sys),
      to_(to),
      options_(options),
      where_(Where(to.name())),
      backoff_(kFirstBackoff) {}

Connecting::Result Connecting::Begin() {
  fd_ = UniqueFd(sys_->Socket(to_.family(), SOCK_STREAM | SOCK_NONBLOCK, 0),
                 sys_);
  if (!fd_.valid()) return ErrnoStatus(errno, "socket", where_);
  if (absl::Status s = PrepareSocket(sys_, fd_.get(), to_.family(),
                                     SocketRole::kDial, options_, where_);
      !s.ok()) {
    return s;
  }
  return Try();
}

Connecting::Result Connecting::Resume() {
  const int error = wait_.fd >= 0 ? PendingError() : 0;
  if (error != 0) return ErrnoStatus(error, kOperation, where_);
  return Try();
}

Connecting::Result Connecting::Try() {
  // After a wait this asks what came of it: 0 or EISCONN if it is connected,
  // EALREADY if not yet.
  if (sys_->Connect(fd_.get(), to_.generic(), to_.length) == 0) {
    return Connected();
  }
  const int error = errno;
  if (TreatmentOf(SysCall::kConnect, error) == Treatment::kDone) {
    return Connected();
  }
  if (!MustWait(error)) return ErrnoStatus(error, kOperation, where_);
  return std::nullopt;
}

// The peer is asked for, since a connect to 0.0.0.0 or [::] goes to an address
// of another name; the ports alone nearly always say no before that.
bool Connecting::MetItself() const {
  return to_.family() != AF_UNIX && local_.port() == to_.name().port() &&
         local_ == PeerName(sys_, fd_.get());
}

// tcp(7), simultaneous open: a connect to a local port on which nobody listens,
// and which the kernel happens to choose for this end, connects to itself. That
// is as good as refused, but for one thing: the server that is to be there can
// be started meanwhile, and another try has another port.
Connecting::Result Connecting::Connected() {
  local_ = LocalName(sys_, fd_.get());
  if (!MetItself()) return std::move(fd_);
  // Reset: a port in TIME_WAIT would be refused to its server.
  const linger at_once = {1, 0};
  sys_->Setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  fd_.reset();
  if (++met_itself_ < kMeetings) return Begin();
  return ErrnoStatus(ECONNREFUSED, kOperation,
                     absl::StrCat(where_, " was connected to itself"));
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
