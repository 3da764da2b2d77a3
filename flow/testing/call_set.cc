#include "flow/testing/call_set.h"

#include <cerrno>
#include <cstring>

#include "absl/base/macros.h"
#include "absl/strings/str_cat.h"
#include "flow/sys/errno_table.h"

namespace flow_testing {
namespace {

// In the order of Call.
constexpr absl::string_view kNames[] = {
    "read",
    "readv",
    "preadv2",
    "recv",
    "recvmsg",
    "write",
    "writev",
    "pwritev2",
    "send",
    "sendmsg",
    "splice",
    "sendfile",
    "copy_file_range",
    "poll",
    "eventfd",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "open",
    "pipe2",
    "socket",
    "socketpair",
    "accept4",
    "close",
    "bind",
    "listen",
    "connect",
    "shutdown",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "pthread_create",
    "fork",
    "pidfd_open",
    "waitid",
    "kill",
    "ioctl(TIOCSPTLCK)",
    "ioctl(TIOCGPTPEER)",
    "ioctl(TIOCGWINSZ)",
    "ioctl(TIOCSWINSZ)",
    "tcsetattr",
    "fcntl",
    "fstat",
    "lstat",
    "isatty",
    "ioctl(TIOCGPTN)",
    "tcgetattr",
    "readlink",
    "unlink",
    "fchmod",
    "flock",
    "getaddrinfo",
};
static_assert(ABSL_ARRAYSIZE(kNames) == kCallCount, "one name for each call");

using Errnos = std::vector<int>;

// Never destroyed, like everything static that a test may use while it ends.
const Errnos& ReadErrnos() {
  static const auto* const errnos = new Errnos{
      EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, EIO, ENOMEM};
  return *errnos;
}
const Errnos& WriteErrnos() {
  static const auto* const errnos =
      new Errnos{EINTR,      EAGAIN,    ENOBUFS,      ENOMEM, EPIPE,
                 ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOSPC, EIO};
  return *errnos;
}
// What makes its caller move the bytes in another way, or wait.
const Errnos& KernelErrnos() {
  static const auto* const errnos =
      new Errnos{EINTR, EAGAIN, EINVAL, ENOSYS, EPERM, EXDEV, ENOMEM, EIO};
  return *errnos;
}
const Errnos& AcceptErrnos() {
  static const auto* const errnos =
      new Errnos{EINTR,  EAGAIN, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH,
                 EMFILE, ENFILE, ENOBUFS,      ENOMEM, EPERM};
  return *errnos;
}
const Errnos& ConnectErrnos() {
  static const auto* const errnos =
      new Errnos{EINTR,       EINPROGRESS,   ECONNREFUSED, ETIMEDOUT,
                 ENETUNREACH, EADDRNOTAVAIL, EACCES,       EAGAIN};
  return *errnos;
}
const Errnos& MakingErrnos() {
  static const auto* const errnos =
      new Errnos{EMFILE, ENFILE, ENOMEM, EACCES, EINTR};
  return *errnos;
}
const Errnos& BindErrnos() {
  static const auto* const errnos = new Errnos{EADDRINUSE, EACCES, ENOMEM};
  return *errnos;
}
const Errnos& CloseErrnos() {
  static const auto* const errnos = new Errnos{EIO, EINTR, ENOSPC, EDQUOT};
  return *errnos;
}
const Errnos& ShutdownErrnos() {
  static const auto* const errnos = new Errnos{ENOTCONN};
  return *errnos;
}
const Errnos& PollErrnos() {
  static const auto* const errnos = new Errnos{EINTR, ENOMEM};
  return *errnos;
}
const Errnos& AskingErrnos() {
  static const auto* const errnos = new Errnos{ENOBUFS, ENOMEM, EIO};
  return *errnos;
}

}  // namespace

absl::string_view CallName(Call call) { return kNames[static_cast<int>(call)]; }

std::ostream& operator<<(std::ostream& os, Call call) {
  return os << CallName(call);
}

CallSet CallSet::Reading() {
  return {Call::kRead, Call::kReadv, Call::kReadv2, Call::kRecv,
          Call::kRecvmsg};
}

CallSet CallSet::Writing() {
  return {Call::kWrite, Call::kWritev, Call::kWritev2, Call::kSend,
          Call::kSendmsg};
}

CallSet CallSet::Kernel() {
  return {Call::kSplice, Call::kSendfile, Call::kCopyFileRange};
}

CallSet CallSet::All() { return CallSet((uint64_t{1} << kCallCount) - 1); }

CallSet CallSet::AllButEventfd() { return All() - CallSet{Call::kEventfd}; }

const std::vector<int>& ErrnosOf(Call call) {
  if (CallSet::Reading().contains(call)) return ReadErrnos();
  if (CallSet::Writing().contains(call)) return WriteErrnos();
  if (CallSet::Kernel().contains(call)) return KernelErrnos();
  const CallSet making = {
      Call::kEventfd, Call::kEpollCreate, Call::kOpen,      Call::kPipe,
      Call::kSocket,  Call::kSocketpair,  Call::kPidfdOpen, Call::kPtySlave};
  if (making.contains(call)) return MakingErrnos();
  if (call == Call::kAccept) return AcceptErrnos();
  if (call == Call::kConnect) return ConnectErrnos();
  if (call == Call::kBind || call == Call::kListen) return BindErrnos();
  if (call == Call::kClose) return CloseErrnos();
  if (call == Call::kShutdown) return ShutdownErrnos();
  if (call == Call::kPoll || call == Call::kEpollWait) return PollErrnos();
  return AskingErrnos();
}

std::string ErrnoName(int error) {
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
#if __GLIBC_PREREQ(2, 32)
  const char* name = ::strerrorname_np(error);
  if (name != nullptr) return name;
#endif
#endif
  return flow::ErrnoText(error);
}

std::string CallSet::ToString() const {
  if (*this == AllButEventfd()) return "any";
  std::string names;
  for (int i = 0; i < kCallCount; ++i) {
    const Call call = static_cast<Call>(i);
    if (!contains(call)) continue;
    absl::StrAppend(&names, names.empty() ? "" : "|", CallName(call));
  }
  return names;
}

}  // namespace flow_testing
