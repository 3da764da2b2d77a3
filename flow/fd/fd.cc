#include "flow/fd/fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "flow/changed_fields.h"
#include "flow/fd/fd_kind.h"
#include "flow/fd/fd_transport.h"
#include "flow/status.h"

namespace flow {
namespace {

using internal::DescribeFd;
using internal::Examine;
using internal::FdFacts;
using internal::FdKind;
using internal::FdNames;
using internal::FdPart;
using internal::FdTransport;
using internal::IsSocket;
using internal::NamesOf;

Syscalls* SysOf(const FdOptions& options) {
  return options.sys != nullptr ? options.sys : Syscalls::Real();
}

// Sets what the table in fd.h says of adopted fds.
absl::Status MakeOurs(Syscalls* sys, const FdFacts& facts) {
  const int fd = facts.fd;
  const std::string name = absl::StrCat("fd ", fd);
  // 0 to 2 are a program's by convention, which its children expect to inherit.
  if (fd > STDERR_FILENO && sys->Fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return ErrnoStatus(errno, "fcntl", name);
  }
  const bool socket = IsSocket(facts.kind);
  if (!socket && facts.kind != FdKind::kPipe) return absl::OkStatus();
  if ((facts.status_flags & O_NONBLOCK) == 0 &&
      sys->Fcntl(fd, F_SETFL, facts.status_flags | O_NONBLOCK) != 0) {
    return ErrnoStatus(errno, "fcntl", name);
  }
  // [run] close(2) of a non-blocking socket with SO_LINGER 2 s blocked for 2 s.
  const linger off = {0, 0};
  if (socket &&
      sys->Setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)) != 0) {
    return ErrnoStatus(errno, "setsockopt", name);
  }
  return absl::OkStatus();
}

absl::StatusOr<FdPart> AdoptPart(Syscalls* sys, UniqueFd fd) {
  absl::StatusOr<FdFacts> facts = Examine(sys, fd.get());
  if (!facts.ok()) {
    // Nobody's number now, and perhaps somebody's in a moment: not to be
    // closed.
    if (ErrnoOf(facts.status()) == EBADF) (void)fd.release();
    return facts.status();
  }
  if (absl::Status s = MakeOurs(sys, *facts); !s.ok()) return s;
  return FdPart{*facts, std::move(fd)};
}

absl::StatusOr<FdPart> BorrowPart(Syscalls* sys, int fd) {
  absl::StatusOr<FdFacts> facts = Examine(sys, fd);
  if (!facts.ok()) return facts.status();
  return FdPart{*facts, UniqueFd()};
}

FdNames Override(FdNames names, const FdOptions& options) {
  if (options.local.has_value()) names.local = *options.local;
  if (options.peer.has_value()) names.peer = *options.peer;
  return names;
}

absl::StatusOr<Flow> FlowOn(const FdOptions& options,
                            absl::StatusOr<FdPart> both) {
  if (!both.ok()) return both.status();
  Syscalls* const sys = SysOf(options);
  FdNames names = Override(NamesOf(sys, both->facts), options);
  auto transport =
      std::make_unique<FdTransport>(sys, *std::move(both), std::move(names));
  transport->set_adaptive_reads(options.adaptive);
  return Flow(std::move(transport), sys);
}

absl::StatusOr<Flow> FlowOn(const FdOptions& options, absl::StatusOr<FdPart> in,
                            absl::StatusOr<FdPart> out) {
  if (!in.ok()) return in.status();
  if (!out.ok()) return out.status();
  Syscalls* const sys = SysOf(options);
  FdNames names;
  names.local =
      Endpoint::Named(absl::StrCat("in ", DescribeFd(sys, in->facts), ", out ",
                                   DescribeFd(sys, out->facts)));
  names = Override(std::move(names), options);
  auto transport = std::make_unique<FdTransport>(
      sys, *std::move(in), *std::move(out), std::move(names));
  transport->set_adaptive_reads(options.adaptive);
  return Flow(std::move(transport), sys);
}

absl::StatusOr<std::pair<Flow, Flow>> AdoptBoth(const FdOptions& options,
                                                UniqueFd first,
                                                UniqueFd second) {
  absl::StatusOr<Flow> a = Adopt(std::move(first), options);
  absl::StatusOr<Flow> b = Adopt(std::move(second), options);
  if (!a.ok()) return a.status();
  if (!b.ok()) return b.status();
  return std::make_pair(*std::move(a), *std::move(b));
}

}  // namespace

absl::StatusOr<Flow> Adopt(UniqueFd fd, const FdOptions& options) {
  return FlowOn(options, AdoptPart(SysOf(options), std::move(fd)));
}

absl::StatusOr<Flow> Adopt(UniqueFd in, UniqueFd out,
                           const FdOptions& options) {
  if (in.valid() && in.get() == out.get()) {
    // Two owners would close one number twice.
    (void)out.release();
    return InvalidArgument(
        absl::StrCat("fd ", in.get(), " is given twice; adopt it once"));
  }
  Syscalls* const sys = SysOf(options);
  return FlowOn(options, AdoptPart(sys, std::move(in)),
                AdoptPart(sys, std::move(out)));
}

absl::StatusOr<Flow> Borrow(int fd, const FdOptions& options) {
  return FlowOn(options, BorrowPart(SysOf(options), fd));
}

absl::StatusOr<Flow> Borrow(int in, int out, const FdOptions& options) {
  if (in == out) return Borrow(in, options);
  Syscalls* const sys = SysOf(options);
  return FlowOn(options, BorrowPart(sys, in), BorrowPart(sys, out));
}

absl::StatusOr<Flow> Stdio(const FdOptions& options) {
  return Borrow(STDIN_FILENO, STDOUT_FILENO, options);
}

absl::StatusOr<std::pair<Flow, Flow>> SocketPair(const FdOptions& options) {
  Syscalls* const sys = SysOf(options);
  int fds[2];
  if (sys->Socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) {
    return ErrnoStatus(errno, "socketpair", "");
  }
  return AdoptBoth(options, UniqueFd(fds[0], sys), UniqueFd(fds[1], sys));
}

absl::StatusOr<std::pair<Flow, Flow>> Pipe(const FdOptions& options) {
  Syscalls* const sys = SysOf(options);
  int fds[2];
  if (sys->Pipe(fds, O_NONBLOCK) != 0) return ErrnoStatus(errno, "pipe", "");
  return AdoptBoth(options, UniqueFd(fds[0], sys), UniqueFd(fds[1], sys));
}

std::string FdOptions::ToString() const {
  const FdOptions usual;
  return internal::ChangedFields()
      .Given("sys", sys != nullptr)
      .Nest("adaptive", adaptive.ToString(), usual.adaptive.ToString())
      .Add("local", local, usual.local)
      .Add("peer", peer, usual.peer)
      .Text();
}

}  // namespace flow
