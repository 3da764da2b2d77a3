#include "flow/testing/torture/man_page_errnos.h"

#include <cerrno>

namespace flow_testing {
namespace {

using Errnos = std::vector<int>;

// recv(2), recvmsg(2), read(2), readv(2), preadv2(2); tcp(7), ip(7).
Errnos OfReading(Call call) {
  if (call == Call::kRecv || call == Call::kRecvmsg) {
    return {EAGAIN,   EBADF,     ECONNREFUSED, EFAULT,   EINTR,
            EINVAL,   ENOMEM,    ENOTCONN,     ENOTSOCK, ECONNRESET,
            EMSGSIZE, ETIMEDOUT, EHOSTUNREACH, ENETDOWN, ENETUNREACH};
  }
  return {EAGAIN, EBADF,  EFAULT,     EINTR,      EINVAL,
          EIO,    EISDIR, EOPNOTSUPP, ECONNRESET, ENOMEM};
}

// send(2), sendmsg(2), write(2), writev(2), pwritev2(2); tcp(7), ip(7).
Errnos OfWriting(Call call) {
  if (call == Call::kSend || call == Call::kSendmsg) {
    return {EACCES,       EAGAIN,  EALREADY,  EBADF,    ECONNRESET,
            EDESTADDRREQ, EFAULT,  EINTR,     EINVAL,   EISCONN,
            EMSGSIZE,     ENOBUFS, ENOMEM,    ENOTCONN, ENOTSOCK,
            EOPNOTSUPP,   EPIPE,   ETIMEDOUT, ENETDOWN, EHOSTUNREACH,
            ENETUNREACH};
  }
  return {EAGAIN, EBADF, EDESTADDRREQ, EDQUOT, EFAULT, EFBIG,     EINTR,
          EINVAL, EIO,   ENOSPC,       EPERM,  EPIPE,  EOPNOTSUPP};
}

// splice(2), sendfile(2), copy_file_range(2).
Errnos OfKernel(Call call) {
  if (call == Call::kSplice) {
    return {EAGAIN, EBADF, EINVAL, ENOMEM, ESPIPE, EPIPE, ECONNRESET, EINTR};
  }
  if (call == Call::kSendfile) {
    return {EAGAIN,    EBADF,  EFAULT, EINVAL, EIO,       ENOMEM,
            EOVERFLOW, ESPIPE, EPIPE,  ENOSYS, ECONNRESET};
  }
  return {EBADF,      EFBIG,     EINVAL, EIO,     EISDIR, ENOMEM, ENOSPC,
          EOPNOTSUPP, EOVERFLOW, EPERM,  ETXTBSY, EXDEV,  ENOSYS};
}

// Calls that make descriptors, and close(2).
Errnos OfMaking(Call call) {
  switch (call) {
    case Call::kEventfd:
      return {EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM};
    case Call::kEpollCreate:
      return {EINVAL, EMFILE, ENFILE, ENOMEM};
    case Call::kOpen:
      return {EACCES,    EBUSY,        EDQUOT,  EEXIST,  EFAULT,
              EFBIG,     EINTR,        EINVAL,  EISDIR,  ELOOP,
              EMFILE,    ENAMETOOLONG, ENFILE,  ENODEV,  ENOENT,
              ENOMEM,    ENOSPC,       ENOTDIR, ENXIO,   EOPNOTSUPP,
              EOVERFLOW, EPERM,        EROFS,   ETXTBSY, EWOULDBLOCK};
    case Call::kPipe:
      return {EFAULT, EINVAL, EMFILE, ENFILE};
    case Call::kSocket:
      return {EACCES, EAFNOSUPPORT, EINVAL, EMFILE,
              ENFILE, ENOBUFS,      ENOMEM, EPROTONOSUPPORT};
    case Call::kSocketpair:
      return {EAFNOSUPPORT, EFAULT,     EMFILE,
              ENFILE,       EOPNOTSUPP, EPROTONOSUPPORT};
    case Call::kAccept:
      return {EAGAIN,      EBADF,      ECONNABORTED, EFAULT,       EINTR,
              EINVAL,      EMFILE,     ENFILE,       ENOBUFS,      ENOMEM,
              ENOTSOCK,    EOPNOTSUPP, EPERM,        EPROTO,       ENETDOWN,
              ENOPROTOOPT, EHOSTDOWN,  ENONET,       EHOSTUNREACH, ENETUNREACH};
    case Call::kClose:
      return {EBADF, EINTR, EIO, ENOSPC, EDQUOT};
    case Call::kPidfdOpen:
      return {EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM, ESRCH, ENOSYS};
    default:
      return {EIO, EMFILE, ENFILE, ENOMEM};
  }
}

// Calls on sockets that move nothing.
Errnos OfSockets(Call call) {
  switch (call) {
    case Call::kBind:
      return {EACCES,        EADDRINUSE, EBADF, EINVAL,       ENOTSOCK,
              EADDRNOTAVAIL, EFAULT,     ELOOP, ENAMETOOLONG, ENOENT,
              ENOMEM,        ENOTDIR,    EROFS};
    case Call::kListen:
      return {EADDRINUSE, EBADF, ENOTSOCK, EOPNOTSUPP};
    case Call::kConnect:
      return {EACCES,      EPERM,     EADDRINUSE,   EADDRNOTAVAIL, EAFNOSUPPORT,
              EAGAIN,      EALREADY,  EBADF,        ECONNREFUSED,  EFAULT,
              EINPROGRESS, EINTR,     EISCONN,      ENETUNREACH,   ENOTSOCK,
              EPROTOTYPE,  ETIMEDOUT, EHOSTUNREACH, ENOENT};
    case Call::kShutdown:
      return {EBADF, EINVAL, ENOTCONN, ENOTSOCK};
    case Call::kGetsockname:
    case Call::kGetpeername:
      return {EFAULT, EINVAL, ENOBUFS, ENOTCONN, ENOTSOCK};
    default:  // getsockopt, setsockopt
      return {EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, ENOMEM};
  }
}

// Processes, threads, terminals.
Errnos OfProcesses(Call call) {
  switch (call) {
    case Call::kStartThread:
      return {EAGAIN, EPERM};
    case Call::kStartChild:
      return {EAGAIN, ENOMEM, EACCES, ENOENT, ENOEXEC, E2BIG, ETXTBSY};
    case Call::kWaitid:
      return {ECHILD, EINTR, EINVAL};
    case Call::kKill:
      return {EINVAL, EPERM, ESRCH};
    default:
      return {EBADF, EINVAL, EIO, ENOTTY};
  }
}

// Questions.
Errnos OfAsking(Call call) {
  switch (call) {
    case Call::kFcntl:
      return {EACCES, EAGAIN, EBUSY, EINVAL, EMFILE, EPERM};
    case Call::kFstat:
      return {EFAULT, ENOMEM, EOVERFLOW};
    case Call::kLstat:
    case Call::kReadlink:
    case Call::kUnlink:
      return {EACCES,  EIO,   ELOOP, ENAMETOOLONG, ENOENT, ENOMEM,
              ENOTDIR, EPERM, EROFS, EINVAL,       EBUSY};
    case Call::kFchmod:
      return {EBADF, EIO, EPERM, EROFS};
    case Call::kFlock:
      return {EBADF, EINTR, EINVAL, ENOLCK, EWOULDBLOCK};
    case Call::kGetAddrInfo:
      return {EMFILE, ENOMEM, EIO};
    default:  // of terminals
      return {EBADF, EINVAL, ENOTTY};
  }
}

}  // namespace

std::vector<int> ManPageErrnos(Call call) {
  const CallSet making = {Call::kEventfd, Call::kEpollCreate, Call::kOpen,
                          Call::kPipe,    Call::kSocket,      Call::kSocketpair,
                          Call::kAccept,  Call::kClose,       Call::kPidfdOpen,
                          Call::kPtySlave};
  const CallSet sockets = {Call::kBind,        Call::kListen,
                           Call::kConnect,     Call::kShutdown,
                           Call::kGetsockname, Call::kGetpeername,
                           Call::kGetsockopt,  Call::kSetsockopt};
  const CallSet processes = {Call::kStartThread,   Call::kStartChild,
                             Call::kWaitid,        Call::kKill,
                             Call::kPtyUnlock,     Call::kGetWindowSize,
                             Call::kSetWindowSize, Call::kTcsetattr};
  if (CallSet::Reading().contains(call)) return OfReading(call);
  if (CallSet::Writing().contains(call)) return OfWriting(call);
  if (CallSet::Kernel().contains(call)) return OfKernel(call);
  if (call == Call::kPoll) return {EFAULT, EINTR, EINVAL, ENOMEM};
  if (call == Call::kEpollWait) return {EBADF, EFAULT, EINTR, EINVAL};
  if (call == Call::kEpollCtl) {
    return {EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM};
  }
  if (making.contains(call)) return OfMaking(call);
  if (sockets.contains(call)) return OfSockets(call);
  if (processes.contains(call)) return OfProcesses(call);
  return OfAsking(call);
}

}  // namespace flow_testing
