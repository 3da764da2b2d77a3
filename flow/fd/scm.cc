#include "flow/fd/scm.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/time/time.h"
#include "flow/sys/errno_table.h"

namespace flow {
namespace internal {
namespace {

// How long a send that was refused for want of memory waits: the longest that
// other sends wait (P7).
constexpr absl::Duration kShortagePause = absl::Milliseconds(50);

// Room for the longest control message.
union Control {
  cmsghdr head;
  char bytes[CMSG_SPACE(kMaxPassedFds * sizeof(int))];
};

// A failure that is not the socket's: a descriptor that is not open or of a
// kind that can't be passed, or too many of them on their way.
bool IsOfTheFds(int error) {
  return error == EBADF || error == EINVAL || error == ETOOMANYREFS;
}

// Takes what is in `message` into ownership.
void Collect(Syscalls* sys, msghdr& message, size_t max_fds,
             PassedFds& passed) {
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
      UniqueFd owned(fd, sys);
      if (passed.fds.size() < max_fds) {
        passed.fds.push_back(std::move(owned));
      } else {
        passed.lost = true;
      }
    }
  }
}

}  // namespace

bool IsUnixSocket(Syscalls* sys, int fd) {
  int domain = 0;
  socklen_t size = sizeof(domain);
  return sys->Getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         domain == AF_UNIX;
}

Attempt TrySendFds(Syscalls* sys, int socket, const iovec& data,
                   absl::Span<const int> fds, int& refused) {
  Control control = {};
  iovec piece = data;
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  control.head.cmsg_level = SOL_SOCKET;
  control.head.cmsg_type = SCM_RIGHTS;
  control.head.cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(&control.head), fds.data(), fds.size() * sizeof(int));
  for (;;) {
    const ssize_t n =
        sys->Sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) return Attempt::Transferred(static_cast<size_t>(n));
    const int error = n == 0 ? EAGAIN : errno;
    if (IsOfTheFds(error)) {
      refused = error;
      return Attempt::Transferred(0);
    }
    switch (TreatmentOf(SysCall::kWrite, error)) {
      case Treatment::kAgain:
        continue;
      case Treatment::kWait:
        return Attempt::WouldBlock(Wait::ForFd(socket, POLLOUT));
      case Treatment::kShortage:
        return Attempt::WouldBlock(Wait::Until(sys->Now() + kShortagePause));
      case Treatment::kDone:
      case Treatment::kEnd:
      case Treatment::kFail:
        return Attempt::Failed(error);
    }
  }
}

Attempt TryReceiveFds(Syscalls* sys, int socket, const iovec& into,
                      size_t max_fds, PassedFds& passed) {
  Control control = {};
  iovec piece = into;
  for (;;) {
    msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    // CMSG_LEN, not CMSG_SPACE: the kernel fills also what is there for
    // alignment. What doesn't fit it closes, and says MSG_CTRUNC; so it does
    // where this process has no number left.
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_LEN(max_fds * sizeof(int));
    const ssize_t n =
        sys->Recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n >= 0) {
      passed.lost = (message.msg_flags & MSG_CTRUNC) != 0;
      Collect(sys, message, max_fds, passed);
      return n == 0 ? Attempt::Eof()
                    : Attempt::Transferred(static_cast<size_t>(n));
    }
    const int error = errno;
    switch (TreatmentOf(SysCall::kRead, error)) {
      case Treatment::kAgain:
        continue;
      case Treatment::kWait:
        return Attempt::WouldBlock(Wait::ForFd(socket, POLLIN));
      case Treatment::kShortage:
      case Treatment::kDone:
      case Treatment::kEnd:
      case Treatment::kFail:
        return Attempt::Failed(error);
    }
  }
}

}  // namespace internal
}  // namespace flow
