#include "flow/sys/errno_table.h"

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace flow {
namespace {

using Code = absl::StatusCode;

constexpr ErrnoMeaning Flow(Code code, ErrorKind kind = ErrorKind::kSystem) {
  return {code, kind, ErrorScope::kFlow};
}
constexpr ErrnoMeaning Side(Code code, ErrorKind kind = ErrorKind::kSystem) {
  return {code, kind, ErrorScope::kDirection};
}

// accept(2): errors of the connection that was about to be accepted, or of the
// network under it, are handed to accept on Linux; the listener is fine.
Treatment TreatmentOfAccept(int error) {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
    case ECONNRESET:
    case EPERM:  // a firewall rule forbade this connection
      return Treatment::kAgain;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return Treatment::kShortage;
    default:
      return Treatment::kFail;
  }
}

}  // namespace

absl::string_view ErrorKindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kClosedLocally:
      return "closed locally";
    case ErrorKind::kClosedByPeer:
      return "closed by peer";
    case ErrorKind::kReset:
      return "reset";
    case ErrorKind::kSealed:
      return "sealed";
    case ErrorKind::kTruncated:
      return "truncated";
    case ErrorKind::kDeadline:
      return "deadline";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kSystem:
      return "system";
    case ErrorKind::kOther:
      return "other";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, ErrorKind kind) {
  return os << ErrorKindName(kind);
}

namespace {

// Of what has nothing to do with the peer or the machine's state: the call was
// not one that can be made.
ErrnoMeaning MeaningOfRefusal(int error) {
  switch (error) {
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTSOCK:
    case EPROTOTYPE:  // a unix path with a socket of another type
    case EISDIR:
    case ELOOP:
    case EOVERFLOW:
    case EMSGSIZE:
    case EDESTADDRREQ:
    case ENOTTY:
    case ENOEXEC:
    case EFAULT:
      return Side(Code::kInvalidArgument);
    case ENOENT:
    case ENOTDIR:
    case ENODEV:  // no such interface, or device
    case ENXIO:
      return Side(Code::kNotFound);
    case EOPNOTSUPP:
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return Side(Code::kUnimplemented);
    default:
      return Side(Code::kInternal);
  }
}

}  // namespace

ErrnoMeaning MeaningOf(int error) {
  switch (error) {
    case EPIPE:
    case ESHUTDOWN:
      // A unix peer that did SHUT_RD gives EPIPE and goes on sending, so this
      // ends the write side alone.
      return Side(Code::kFailedPrecondition, ErrorKind::kClosedByPeer);
    case ECONNRESET:
    case ECONNABORTED:
      return Flow(Code::kUnavailable, ErrorKind::kReset);
    case ECONNREFUSED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET:
    case EADDRNOTAVAIL:
      return Flow(Code::kUnavailable);
    case EBADF:
    case ENOTCONN:
    case EADDRINUSE:
    case EISCONN:
      return Flow(Code::kFailedPrecondition);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case E2BIG:
    case ETOOMANYREFS:  // too many descriptors on their way over unix sockets
      return Side(Code::kResourceExhausted);
    case EACCES:
    case EPERM:
      return Side(Code::kPermissionDenied);
    default:
      return MeaningOfRefusal(error);
  }
}

Treatment TreatmentOf(SysCall call, int error) {
  if (error == EINTR) return Treatment::kAgain;
  if (error == EAGAIN || error == EWOULDBLOCK) {
    // A unix socket whose listener's backlog is full says EAGAIN to connect,
    // and poll can't tell when there is room (connect(2), "EAGAIN").
    return call == SysCall::kConnect || call == SysCall::kPoll
               ? Treatment::kShortage
               : Treatment::kWait;
  }
  switch (call) {
    case SysCall::kTtyWrite:
      // [run] A terminal that was hung up, since its master was closed, says
      // EIO. The peer is gone, in order.
      if (error == EIO) return Treatment::kEnd;
      [[fallthrough]];
    case SysCall::kWrite:
      // send(2): "the output queue was full ... normally does not occur in
      // Linux", but does when the machine is short of buffers.
      return error == ENOBUFS || error == ENOMEM ? Treatment::kShortage
                                                 : Treatment::kFail;
    case SysCall::kAccept:
      return TreatmentOfAccept(error);
    case SysCall::kConnect:
      if (error == EINPROGRESS || error == EALREADY) return Treatment::kWait;
      return error == EISCONN ? Treatment::kDone : Treatment::kFail;
    case SysCall::kShutdown:
      // [run] SHUT_WR after a reset, or when both ends have finished, says
      // ENOTCONN: nothing is left to be said to the peer.
      return error == ENOTCONN ? Treatment::kDone : Treatment::kFail;
    case SysCall::kPoll:
      return error == ENOMEM ? Treatment::kShortage : Treatment::kFail;
    case SysCall::kPtyRead:
      // [run] The master's read says EIO once nobody has the slave open.
      return error == EIO ? Treatment::kEnd : Treatment::kFail;
    case SysCall::kRead:
    case SysCall::kOther:
      return Treatment::kFail;
  }
  return Treatment::kFail;
}

std::string ErrnoText(int error) {
  // ErrnoToStatus is absl's thread-safe strerror.
  const absl::Status text = absl::ErrnoToStatus(error, "");
  absl::string_view words = text.message();
  if (words.substr(0, 2) == ": ") words.remove_prefix(2);
  return absl::StrCat(words, " [", error, "]");
}

absl::string_view ErrorScopeName(ErrorScope scope) {
  switch (scope) {
    case ErrorScope::kDirection:
      return "direction";
    case ErrorScope::kFlow:
      return "flow";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, ErrorScope scope) {
  return os << ErrorScopeName(scope);
}

absl::string_view SysCallName(SysCall call) {
  switch (call) {
    case SysCall::kRead:
      return "read";
    case SysCall::kPtyRead:
      return "pty read";
    case SysCall::kWrite:
      return "write";
    case SysCall::kTtyWrite:
      return "tty write";
    case SysCall::kAccept:
      return "accept";
    case SysCall::kConnect:
      return "connect";
    case SysCall::kShutdown:
      return "shutdown";
    case SysCall::kPoll:
      return "poll";
    case SysCall::kOther:
      return "other";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, SysCall call) {
  return os << SysCallName(call);
}

absl::string_view TreatmentName(Treatment treatment) {
  switch (treatment) {
    case Treatment::kFail:
      return "fail";
    case Treatment::kAgain:
      return "again";
    case Treatment::kWait:
      return "wait";
    case Treatment::kShortage:
      return "shortage";
    case Treatment::kDone:
      return "done";
    case Treatment::kEnd:
      return "end";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, Treatment treatment) {
  return os << TreatmentName(treatment);
}

std::string ErrnoMeaning::ToString() const {
  return absl::StrCat(absl::StatusCodeToString(code), ", ", ErrorKindName(kind),
                      ", ends the ", ErrorScopeName(scope));
}

}  // namespace flow
