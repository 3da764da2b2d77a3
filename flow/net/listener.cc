#include "flow/net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "flow/fd/fd_kind.h"
#include "flow/net/acceptor.h"
#include "flow/net/address.h"
#include "flow/net/failures.h"
#include "flow/net/listener_facts.h"
#include "flow/net/resolver.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace {

using internal::AcceptedRecord;
using internal::Acceptor;
using internal::BoundPath;
using internal::FdKind;
using internal::ListenerFacts;
using internal::LocalName;
using internal::SocketAddress;

// A socket that listens, and what it is bound to.
struct Listening {
  UniqueFd fd;
  BoundPath bound;
};

// What has to be set before bind. 0, or the errno of the call named in `call`.
int Prepare(Syscalls* sys, int fd, int family, const ListenOptions& options,
            const char*& call) {
  if (family == AF_UNIX) {
    // [run] Linux makes the file with the mode of the unbound socket's inode,
    // so there is no moment in which it has another.
    call = "fchmod";
    return sys->Fchmod(fd, options.unix_mode) == 0 ? 0 : errno;
  }
  call = "setsockopt";
  const int on = 1;
  if (sys->Setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
    return errno;
  }
  // [run] Accepted sockets inherit it: one call here saves one for each of
  // them.
  if (options.tcp_nodelay &&
      sys->Setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
    return errno;
  }
  return 0;
}

// Which file bind has just made at `path`. If it can't be told, it won't be
// removed.
BoundPath Identify(Syscalls* sys, const std::string& path) {
  struct stat made;
  if (sys->Lstat(path.c_str(), &made) != 0) return {};
  return {path, made.st_dev, made.st_ino};
}

// What Dial is to be told.
std::string AddressFor(const Address& listened, const Endpoint& local) {
  if (listened.is_tcp()) return absl::StrCat("tcp:", local.ToString());
  Address unix_address;
  unix_address.scheme = listened.is_unix_abstract()
                            ? Address::Scheme::kUnixAbstract
                            : Address::Scheme::kUnix;
  unix_address.scheme_name =
      listened.is_unix_abstract() ? "unix-abstract" : "unix";
  unix_address.path = listened.path;
  return unix_address.ToString();
}

absl::StatusOr<Listening> ListenAt(Syscalls* sys, const SocketAddress& at,
                                   const std::string& path,
                                   const ListenOptions& options) {
  const Endpoint name = at.name();
  const std::string where = absl::StrCat(name.scheme(), " ", name.ToString());
  Listening listening;
  listening.fd =
      UniqueFd(sys->Socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK, 0), sys);
  const int fd = listening.fd.get();
  if (fd < 0) return ErrnoStatus(errno, "socket", where);
  const char* call = "";
  if (const int error = Prepare(sys, fd, at.family(), options, call);
      error != 0) {
    return ErrnoStatus(error, call, where);
  }
  if (sys->Bind(fd, at.generic(), at.length) != 0) {
    return ErrnoStatus(errno, "bind", where);
  }
  if (!path.empty()) listening.bound = Identify(sys, path);
  if (sys->Listen(fd, options.backlog) != 0) {
    const int error = errno;
    if (!listening.bound.path.empty()) sys->Unlink(path.c_str());
    return ErrnoStatus(error, "listen", where);
  }
  return listening;
}

}  // namespace

absl::StatusOr<Listener> Listen(absl::string_view address,
                                const ListenOptions& options) {
  Syscalls* const sys = options.sys != nullptr ? options.sys : Syscalls::Real();
  const absl::StatusOr<Address> parsed = ParseAddress(address);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_tcp() && !parsed->is_unix()) {
    return InvalidArgument(absl::StrCat(
        "bad address \"", parsed->ToString(),
        "\": Listen listens on tcp:, unix: and unix-abstract: alone"));
  }
  // What makes a file.
  const std::string path = parsed->is_unix_abstract() ? "" : parsed->path;
  const absl::StatusOr<std::vector<SocketAddress>> all =
      internal::ResolveToListen(sys, *parsed);
  if (!all.ok()) return all.status();

  std::vector<absl::Status> failures;
  for (const SocketAddress& at : *all) {
    absl::StatusOr<Listening> made = ListenAt(sys, at, path, options);
    if (!made.ok()) {
      failures.push_back(made.status());
      continue;
    }
    auto facts = std::make_shared<ListenerFacts>();
    facts->sys = sys;
    facts->local = LocalName(sys, made->fd.get());
    facts->kind = at.family() == AF_UNIX ? FdKind::kUnix : FdKind::kTcp;
    facts->address = AddressFor(*parsed, facts->local);
    Listener listener;
    listener.flow_ = Flow(std::make_unique<Acceptor>(
                              sys, std::move(made->fd), std::move(made->bound),
                              facts->local, facts->counters),
                          sys);
    listener.facts_ = std::move(facts);
    return listener;
  }
  return internal::JoinFailures("listen", parsed->ToString(), failures);
}

absl::StatusOr<Flow> Listener::Accept(const Limits& limits) {
  const std::shared_ptr<const ListenerFacts> facts = facts_;
  AcceptedRecord record;
  const absl::StatusOr<OrEof<size_t>> got = flow_.ReadInto(
      absl::MakeSpan(reinterpret_cast<char*>(&record), sizeof(record)), limits);
  if (facts == nullptr) return got.status();
  return facts->Accepted(record, got.status());
}

absl::Status Listener::Close() { return flow_.Close(); }

std::string Listener::address() const {
  return facts_ == nullptr ? "" : facts_->address;
}

uint16_t Listener::port() const {
  return facts_ == nullptr ? uint16_t{0} : facts_->local.port();
}

ListenerStats Listener::GetStats() const {
  return facts_ == nullptr ? ListenerStats() : facts_->GetStats();
}

std::string Listener::ToString() const {
  return facts_ == nullptr ? "no listener" : facts_->ToString();
}

}  // namespace flow
