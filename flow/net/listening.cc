#include "flow/net/listening.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "flow/net/failures.h"
#include "flow/net/socket_setup.h"
#include "flow/net/stale_path.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"

namespace flow {
namespace internal {
namespace {

absl::StatusOr<int> Ask(Syscalls* sys, int fd, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  if (sys->Getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0) return value;
  if (errno == ENOTSOCK) {
    return InvalidArgument(absl::StrCat("fd ", fd, " is no socket"));
  }
  return ErrnoStatus(errno, "getsockopt", absl::StrCat("fd ", fd));
}

// How many ports the system may choose for the first of several addresses
// before one is free at all of them.
constexpr int kPorts = 16;

uint16_t PortOf(const SocketAddress& at) {
  return at.family() == AF_UNIX ? uint16_t{0} : at.name().port();
}

// `at` with another port. (It is at the same place for both families, but each
// has a name of its own for it.)
SocketAddress WithPort(const SocketAddress& at, uint16_t port) {
  SocketAddress with = at;
  if (at.family() == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &at.storage, sizeof(v4));
    v4.sin_port = htons(port);
    std::memcpy(&with.storage, &v4, sizeof(v4));
  } else if (at.family() == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &at.storage, sizeof(v6));
    v6.sin6_port = htons(port);
    std::memcpy(&with.storage, &v6, sizeof(v6));
  }
  return with;
}

// An address that this machine doesn't have, such as ::1 where there is no
// IPv6.
bool IsLacking(const absl::Status& status) {
  const int error = ErrnoOf(status);
  return error == EADDRNOTAVAIL || error == EAFNOSUPPORT ||
         error == EPROTONOSUPPORT;
}

}  // namespace

ListeningSocket::~ListeningSocket() {
  if (fd_.valid()) Close().IgnoreError();
}

absl::StatusOr<ListeningSocket> ListeningSocket::Make(
    Syscalls* sys, const SocketAddress& at, absl::string_view path,
    const SocketOptions& options, int backlog) {
  const Endpoint name = at.name();
  const std::string where = absl::StrCat(name.scheme(), " ", name.ToString());
  ListeningSocket made(
      sys,
      UniqueFd(sys->Socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK, 0), sys));
  if (!made.fd_.valid()) return ErrnoStatus(errno, "socket", where);
  absl::Status done = PrepareSocket(sys, made.fd_.get(), at.family(),
                                    SocketRole::kListen, options, where);
  if (!done.ok()) return done;
  made.bound_.path = std::string(path);
  if (options.reclaim.value_or(false) && !path.empty()) {
    done = made.Reclaim(at, backlog, where);
  } else {
    done = made.Bind(at, where);
    if (done.ok()) done = made.Listen(backlog, where);
  }
  if (!done.ok()) return done;
  made.local_ = LocalName(sys, made.fd_.get());
  return made;
}

absl::Status ListeningSocket::Reclaim(const SocketAddress& at, int backlog,
                                      absl::string_view where) {
  const std::string path = bound_.path;
  StalePath stale(sys_, at, path);
  // Held until this socket listens, whether or not something is there: from its
  // bind until then it looks stale itself to others who reclaim.
  if (absl::Status s = stale.Lock(); !s.ok()) return s;
  absl::Status done = Bind(at, where);
  if (ErrnoOf(done) == EADDRINUSE) {
    done = stale.Remove();
    if (done.ok()) done = Bind(at, where);
  }
  return done.ok() ? Listen(backlog, where) : done;
}

absl::Status ListeningSocket::Bind(const SocketAddress& at,
                                   absl::string_view where) {
  if (sys_->Bind(fd_.get(), at.generic(), at.length) != 0) {
    return ErrnoStatus(errno, "bind", where);
  }
  // Which file bind has just made. If it can't be told, it won't be removed.
  struct stat file;
  if (bound_.path.empty()) return absl::OkStatus();
  if (sys_->Lstat(bound_.path.c_str(), &file) == 0) {
    bound_.device = file.st_dev;
    bound_.inode = file.st_ino;
  } else {
    bound_.path.clear();
  }
  return absl::OkStatus();
}

absl::Status ListeningSocket::Listen(int backlog, absl::string_view where) {
  return sys_->Listen(fd_.get(), backlog) == 0
             ? absl::OkStatus()
             : ErrnoStatus(errno, "listen", where);
}

void ListeningSocket::RemovePath() {
  const std::string path = std::exchange(bound_.path, "");
  if (path.empty()) return;
  struct stat now;
  if (sys_->Lstat(path.c_str(), &now) != 0 || now.st_dev != bound_.device ||
      now.st_ino != bound_.inode) {
    return;  // somebody else's by now, or gone
  }
  sys_->Unlink(path.c_str());
}

absl::Status ListeningSocket::Close() {
  // The path first: once it is gone nobody comes to a socket that is closing.
  RemovePath();
  const int error = fd_.reset();
  return error == 0 || TreatmentOf(SysCall::kOther, error) == Treatment::kAgain
             ? absl::OkStatus()
             : ErrnoStatus(error, "close", local_.ToString());
}

void ListeningSocket::CloseAfterFork() {
  bound_.path.clear();  // the parent still listens there
  fd_.reset();
}

namespace {

// One go at all of them. Not set: the port that the system has chosen for the
// first is taken at another.
std::optional<absl::StatusOr<std::vector<ListeningSocket>>> TryAll(
    Syscalls* sys, const Address& address, const Addresses& all,
    const SocketOptions& options, int backlog, bool last_go) {
  // What makes a file.
  const std::string path =
      address.is_unix() && !address.is_unix_abstract() ? address.path : "";
  std::vector<ListeningSocket> made;
  std::vector<absl::Status> lacking;
  uint16_t chosen = 0;
  for (const SocketAddress& each : all) {
    const bool any_port = each.family() != AF_UNIX && PortOf(each) == 0;
    const SocketAddress at =
        any_port && chosen != 0 ? WithPort(each, chosen) : each;
    absl::StatusOr<ListeningSocket> one =
        ListeningSocket::Make(sys, at, path, options, backlog);
    if (one.ok()) {
      if (any_port) chosen = one->local().port();
      made.push_back(*std::move(one));
    } else if (IsLacking(one.status())) {
      lacking.push_back(one.status());
    } else if (any_port && chosen != 0 && !last_go &&
               ErrnoOf(one.status()) == EADDRINUSE) {
      return std::nullopt;
    } else {
      return one.status();
    }
  }
  if (made.empty()) {
    return JoinFailures("listen", address.ToString(), lacking);
  }
  return made;
}

}  // namespace

absl::StatusOr<std::vector<ListeningSocket>> ListenAtAll(
    Syscalls* sys, const Address& address, const Addresses& all,
    const SocketOptions& options, int backlog) {
  for (int i = 1;; ++i) {
    auto made = TryAll(sys, address, all, options, backlog, i == kPorts);
    if (made.has_value()) return *std::move(made);
  }
}

absl::StatusOr<FdKind> KindOfListener(Syscalls* sys, int fd) {
  const absl::StatusOr<int> type = Ask(sys, fd, SO_TYPE);
  if (!type.ok()) return type.status();
  const absl::StatusOr<int> listens = Ask(sys, fd, SO_ACCEPTCONN);
  if (!listens.ok()) return listens.status();
  if (*type != SOCK_STREAM || *listens == 0) {
    return InvalidArgument(absl::StrCat(
        "fd ", fd, " is ",
        *type != SOCK_STREAM ? "no stream socket" : "a socket that does not ",
        *type != SOCK_STREAM ? "" : "listen"));
  }
  const absl::StatusOr<int> domain = Ask(sys, fd, SO_DOMAIN);
  if (!domain.ok()) return domain.status();
  if (*domain == AF_UNIX) return FdKind::kUnix;
  const absl::StatusOr<int> protocol = Ask(sys, fd, SO_PROTOCOL);
  if (!protocol.ok()) return protocol.status();
  return *protocol == IPPROTO_TCP ? FdKind::kTcp : FdKind::kSocket;
}

}  // namespace internal
}  // namespace flow
