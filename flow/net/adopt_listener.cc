#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "flow/endpoint.h"
#include "flow/fd/fd_kind.h"
#include "flow/flow.h"
#include "flow/net/acceptor.h"
#include "flow/net/listener.h"
#include "flow/net/listener_facts.h"
#include "flow/net/listening.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace {

using internal::Acceptor;
using internal::FdKind;
using internal::ListenerFacts;
using internal::ListeningSocket;

// The description may be shared with whoever started us; there is no other way
// to accept without blocking, and it is what such parents expect.
absl::Status MakeOurs(Syscalls* sys, int fd, FdKind kind) {
  const std::string name = absl::StrCat("fd ", fd);
  if (sys->Fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return ErrnoStatus(errno, "fcntl", name);
  }
  const int flags = sys->Fcntl(fd, F_GETFL, 0);
  if (flags < 0 || ((flags & O_NONBLOCK) == 0 &&
                    sys->Fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)) {
    return ErrnoStatus(errno, "fcntl", name);
  }
  const int on = 1;
  if (kind == FdKind::kTcp &&
      sys->Setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
    return ErrnoStatus(errno, "setsockopt", name);
  }
  return absl::OkStatus();
}

// Of the bytes that the kernel has, since an Endpoint's are escaped for logs.
std::string UnixAddressOf(Syscalls* sys, int fd) {
  sockaddr_un un = {};
  socklen_t length = sizeof(un);
  constexpr socklen_t kBegin = offsetof(sockaddr_un, sun_path);
  if (sys->Getsockname(fd, reinterpret_cast<sockaddr*>(&un), &length) != 0 ||
      length <= kBegin) {
    return "unix:";
  }
  const absl::string_view name(
      un.sun_path, std::min<size_t>(length - kBegin, sizeof(un.sun_path)));
  return name[0] == '\0'
             ? internal::UnixAddressText(name.substr(1), /*is_abstract=*/true)
             : internal::UnixAddressText(name.substr(0, name.find('\0')),
                                         /*is_abstract=*/false);
}

// What Dial is to be told.
std::string AddressOf(Syscalls* sys, int fd, const Endpoint& local) {
  return local.kind() == Endpoint::Kind::kUnix
             ? UnixAddressOf(sys, fd)
             : absl::StrCat("tcp:", local.ToString());
}

// What `fd` becomes: a socket of an acceptor's, and what is known of it.
absl::Status AdoptOne(Syscalls* sys, UniqueFd fd, ListenerFacts& facts,
                      std::vector<ListeningSocket>& sockets) {
  const absl::StatusOr<FdKind> kind = internal::KindOfListener(sys, fd.get());
  if (!kind.ok()) {
    // Nobody's number now, and perhaps somebody's in a moment.
    if (ErrnoOf(kind.status()) == EBADF) static_cast<void>(fd.release());
    return kind.status();
  }
  if (absl::Status s = MakeOurs(sys, fd.get(), *kind); !s.ok()) return s;
  Endpoint local = internal::LocalName(sys, fd.get());
  ListenerFacts::Place place;
  place.kind = *kind;
  place.address = AddressOf(sys, fd.get(), local);
  place.local = local;
  facts.places.push_back(std::move(place));
  sockets.push_back(
      ListeningSocket::Adopt(sys, std::move(fd), std::move(local)));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Listener> AdoptListener(UniqueFd fd, Syscalls* sys) {
  std::vector<UniqueFd> one;
  one.push_back(std::move(fd));
  return AdoptListeners(std::move(one), sys);
}

absl::StatusOr<Listener> AdoptListeners(std::vector<UniqueFd> fds,
                                        Syscalls* sys) {
  if (sys == nullptr) sys = Syscalls::Real();
  if (fds.empty()) return InvalidArgument("adopt refused: there is no fd");
  auto facts = std::make_shared<ListenerFacts>();
  facts->sys = sys;
  std::vector<ListeningSocket> sockets;
  for (UniqueFd& fd : fds) {
    absl::Status s = AdoptOne(sys, std::move(fd), *facts, sockets);
    if (!s.ok()) return s;
  }
  Endpoint first = sockets[0].local();
  Listener listener;
  listener.flow_ =
      Flow(std::make_unique<Acceptor>(sys, std::move(sockets), std::move(first),
                                      facts->counters),
           sys);
  listener.facts_ = std::move(facts);
  return listener;
}

}  // namespace flow
