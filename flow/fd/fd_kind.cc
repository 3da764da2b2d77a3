#include "flow/fd/fd_kind.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

absl::Status NotAStream(int fd, absl::string_view what) {
  return InvalidArgument(
      absl::StrCat("fd ", fd, " is ", what, "; a flow needs a byte stream"));
}

absl::StatusOr<int> SocketOption(Syscalls* sys, int fd, int name) {
  int value = 0;
  socklen_t length = sizeof(value);
  if (sys->Getsockopt(fd, SOL_SOCKET, name, &value, &length) != 0) {
    return ErrnoStatus(errno, "getsockopt", absl::StrCat("fd ", fd));
  }
  return value;
}

// OK if the socket is, or has been, connected.
absl::Status CheckConnected(Syscalls* sys, int fd) {
  sockaddr_storage peer;
  socklen_t length = sizeof(peer);
  if (sys->Getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  // [run] A socket that was reset, or that both sides have ended, has lost its
  // peer's name too, but there may be data and an ending to read. Only one that
  // has been connected shows RDHUP.
  pollfd look = {fd, POLLRDHUP, 0};
  if (sys->Poll(&look, 1, 0) > 0 && (look.revents & POLLRDHUP) != 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(error, "getpeername",
                     absl::StrCat("fd ", fd, " is not connected"));
}

absl::StatusOr<FdKind> SocketKind(Syscalls* sys, int fd) {
  const absl::StatusOr<int> type = SocketOption(sys, fd, SO_TYPE);
  if (!type.ok()) return type.status();
  if (*type == SOCK_DGRAM) return NotAStream(fd, "a datagram socket");
  if (*type == SOCK_SEQPACKET) return NotAStream(fd, "a seqpacket socket");
  if (*type != SOCK_STREAM) {
    return NotAStream(fd, absl::StrCat("a socket of type ", *type));
  }
  const absl::StatusOr<int> listens = SocketOption(sys, fd, SO_ACCEPTCONN);
  if (!listens.ok()) return listens.status();
  if (*listens != 0) return NotAStream(fd, "a listening socket");
  if (absl::Status s = CheckConnected(sys, fd); !s.ok()) return s;

  const absl::StatusOr<int> domain = SocketOption(sys, fd, SO_DOMAIN);
  if (!domain.ok()) return domain.status();
  if (*domain == AF_UNIX) return FdKind::kUnix;
  if (*domain != AF_INET && *domain != AF_INET6) return FdKind::kSocket;
  const absl::StatusOr<int> protocol = SocketOption(sys, fd, SO_PROTOCOL);
  if (!protocol.ok()) return protocol.status();
  return *protocol == IPPROTO_TCP ? FdKind::kTcp : FdKind::kSocket;
}

FdKind CharDeviceKind(Syscalls* sys, const FdFacts& facts) {
  // Major 1 is /dev/null, zero, full, random and urandom: never blocking, or
  // not to be helped (null(4), random(4)).
  if (major(facts.rdev) == 1) return FdKind::kFile;
  if (sys->Isatty(facts.fd) == 0) return FdKind::kOther;
  return sys->PtyNumber(facts.fd) >= 0 ? FdKind::kPtyMaster : FdKind::kTty;
}

absl::StatusOr<FdKind> KindOfMode(Syscalls* sys, const FdFacts& facts,
                                  mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFSOCK:
      return SocketKind(sys, facts.fd);
    case S_IFIFO:
      return FdKind::kPipe;
    case S_IFCHR:
      return CharDeviceKind(sys, facts);
    case S_IFREG:
    case S_IFBLK:
      return FdKind::kFile;
    case S_IFDIR:
      return NotAStream(facts.fd, "a directory");
    default:
      return FdKind::kOther;  // an anonymous inode: inotify, eventfd, ...
  }
}

Endpoint AskName(Syscalls* sys, int fd,
                 int (Syscalls::*ask)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  sockaddr* const generic = reinterpret_cast<sockaddr*>(&address);
  if ((sys->*ask)(fd, generic, &length) != 0) return {};
  return Endpoint::FromSockaddr(generic, length);
}

}  // namespace

absl::string_view FdKindName(FdKind kind) {
  switch (kind) {
    case FdKind::kTcp:
      return "TCP socket";
    case FdKind::kUnix:
      return "unix socket";
    case FdKind::kSocket:
      return "socket";
    case FdKind::kPipe:
      return "pipe";
    case FdKind::kTty:
      return "tty";
    case FdKind::kPtyMaster:
      return "pty master";
    case FdKind::kFile:
      return "file";
    case FdKind::kOther:
      return "device";
  }
  return "unknown";
}

absl::StatusOr<FdFacts> Examine(Syscalls* sys, int fd) {
  if (fd < 0) {
    return InvalidArgument(absl::StrCat("fd ", fd, " is negative"));
  }
  FdFacts facts;
  facts.fd = fd;
  facts.status_flags = sys->Fcntl(fd, F_GETFL, 0);
  if (facts.status_flags < 0) {
    return ErrnoStatus(errno, "fcntl", absl::StrCat("fd ", fd));
  }
  if ((facts.status_flags & O_PATH) != 0) {
    return NotAStream(fd, "a mere location (O_PATH)");
  }
  const int access = facts.status_flags & O_ACCMODE;
  facts.can_read = access == O_RDONLY || access == O_RDWR;
  facts.can_write = access == O_WRONLY || access == O_RDWR;

  struct stat status;
  if (sys->Fstat(fd, &status) != 0) {
    return ErrnoStatus(errno, "fstat", absl::StrCat("fd ", fd));
  }
  facts.device = status.st_dev;
  facts.inode = status.st_ino;
  facts.rdev = status.st_rdev;
  const absl::StatusOr<FdKind> kind = KindOfMode(sys, facts, status.st_mode);
  if (!kind.ok()) return kind.status();
  facts.kind = *kind;
  return facts;
}

FdNames NamesOf(Syscalls* sys, const FdFacts& facts) {
  FdNames names;
  if (IsSocket(facts.kind)) {
    names.local = LocalName(sys, facts.fd);
    names.peer = PeerName(sys, facts.fd);
  } else {
    names.local = Endpoint::Named(DescribeFd(sys, facts));
  }
  return names;
}

Endpoint LocalName(Syscalls* sys, int fd) {
  return AskName(sys, fd, &Syscalls::Getsockname);
}

Endpoint PeerName(Syscalls* sys, int fd) {
  return AskName(sys, fd, &Syscalls::Getpeername);
}

std::string DescribeFd(Syscalls* sys, const FdFacts& facts) {
  std::string name;
  if (facts.kind == FdKind::kPtyMaster) {
    name = absl::StrCat(" ", sys->PtyNumber(facts.fd));
  } else if (facts.kind != FdKind::kPipe && !IsSocket(facts.kind)) {
    char path[256];
    const ssize_t length = sys->Readlink(
        absl::StrCat("/proc/self/fd/", facts.fd).c_str(), path, sizeof(path));
    if (length > 0) {
      name = absl::StrCat(" ",
                          absl::string_view(path, static_cast<size_t>(length)));
    }
  }
  return absl::StrCat(FdKindName(facts.kind), name, " fd ", facts.fd);
}

}  // namespace internal
}  // namespace flow
