#include "flow/fd/fd_transport.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

// An error of a connection is one of both its halves; one of a file, a pipe or
// a terminal is the half's that met it.
ErrorScope WidestOn(const FdFacts& facts) {
  return IsSocket(facts.kind) ? ErrorScope::kFlow : ErrorScope::kDirection;
}

}  // namespace

FdTransport::Held FdTransport::Hold(FdPart part) {
  Held held;
  held.facts = part.facts;
  held.is_owned = part.owned.valid();
  held.owned = std::move(part.owned);
  return held;
}

FdTransport::FdTransport(Syscalls* sys, FdPart both, FdNames names)
    : sys_(sys),
      two_(false),
      names_(std::move(names)),
      in_(Hold(std::move(both))),
      reader_(sys, in_.facts, in_.is_owned, /*for_writing=*/false,
              WidestOn(in_.facts)),
      writer_(sys, in_.facts, in_.is_owned, /*for_writing=*/true,
              WidestOn(in_.facts)) {}

FdTransport::FdTransport(Syscalls* sys, FdPart in, FdPart out, FdNames names)
    : sys_(sys),
      two_(true),
      names_(std::move(names)),
      in_(Hold(std::move(in))),
      out_(Hold(std::move(out))),
      reader_(sys, in_.facts, in_.is_owned, /*for_writing=*/false,
              ErrorScope::kDirection),
      writer_(sys, out_.facts, out_.is_owned, /*for_writing=*/true,
              ErrorScope::kDirection) {}

FdTransport::~FdTransport() { CloseAll(); }

Attempt FdTransport::TryRead(absl::Span<const iovec> into) {
  return reader_.TryRead(into);
}

Attempt FdTransport::TryWrite(absl::Span<const iovec> from) {
  return writer_.TryWrite(from);
}

bool FdTransport::ShutIsClose(bool write_half) const {
  const Held& held = write_half && two_ ? out_ : in_;
  if (!held.is_owned || held.facts.kind != FdKind::kPipe) return false;
  // A FIFO that was opened for both has no half that could be closed.
  return two_ || held.facts.can_read != held.facts.can_write;
}

Attempt FdTransport::TryShutdown(ShutdownMode half) {
  const bool write_half = half == ShutdownMode::kWrite;
  Held& held = write_half && two_ ? out_ : in_;
  if (write_half ? !held.facts.can_write : !held.facts.can_read) {
    return Attempt::Transferred(0);
  }
  if (ShutIsClose(write_half)) {
    (write_half ? writer_ : reader_).Retire();
    absl::MutexLock lock(&mu_);
    CloseHeld(held);
    return Attempt::Transferred(0);
  }
  // What is borrowed is left as it was found, for its owner to go on with.
  if (!held.is_owned || !IsSocket(held.facts.kind)) {
    return Attempt::Transferred(0);
  }
  // Before the call: a watcher must not take our own doing for the peer's.
  (write_half ? shut_write_ : shut_read_).store(true);
  // Whatever shutdown(2) answers, the peer has been told or can't be any more
  // ([run] ENOTCONN after a reset, or when both sides have finished).
  sys_->Shutdown(held.facts.fd, write_half ? SHUT_WR : SHUT_RD);
  return Attempt::Transferred(0);
}

std::optional<PeerLook> FdTransport::LookAt(const Held& held, bool write_half,
                                            PeerEnd at_least) {
  if (!HasPeer(held.facts.kind)) return std::nullopt;
  if (!ShutIsClose(write_half)) {
    return LookAtPeer(sys_, held.facts, at_least, shut_read_.load(),
                      shut_write_.load());
  }
  absl::MutexLock lock(&mu_);
  if (!held.owned.valid()) return std::nullopt;
  PeerLook look = LookAtPeer(sys_, held.facts, at_least, false, false);
  look.wait = Wait::Until(sys_->Now() + kLookAgain);
  return look;
}

Attempt FdTransport::TryPeerEnd(PeerEnd at_least) {
  if (!HasPeer(in_.facts.kind) && !(two_ && HasPeer(out_.facts.kind))) {
    return Transport::TryPeerEnd(at_least);
  }
  if (two_ && at_least == PeerEnd::kGone) {
    // A file takes bytes for as long as there is room, whoever else has gone:
    // `echo | flowcat - tcp:... > file`.
    if (can_write() && !HasPeer(out_.facts.kind)) {
      return Transport::TryPeerEnd(at_least);
    }
    return PeerGone();
  }
  // Who sends is at the end that is read; a flow that can't be read, or reads a
  // file, has only the other.
  const bool at_out = two_ && (!HasPeer(in_.facts.kind) || !can_read());
  const bool write_half = at_out || !can_read();
  const std::optional<PeerLook> look =
      LookAt(at_out ? out_ : in_, write_half, at_least);
  // This side has closed the one end that could tell.
  if (!look.has_value()) {
    return Attempt::WouldBlock(Wait::Until(sys_->Now() + kLookAgain));
  }
  if (look->error != 0) {
    return Attempt::Failed(look->error, ErrorScope::kDirection);
  }
  // Of two fds this one is only the half that sends: its peer has finished, but
  // is gone only if the other half is, too.
  if (look->gone &&
      (!two_ || (HasPeer(out_.facts.kind) && PeerGone().transferred()))) {
    return Attempt::Peer(PeerEnd::kGone);
  }
  if ((look->finished || look->gone) && at_least == PeerEnd::kFinished) {
    return Attempt::Peer(PeerEnd::kFinished);
  }
  return Attempt::WouldBlock(look->wait);
}

Attempt FdTransport::PeerGone() {
  // Two fds lead to two peers, as in `a | flowcat | b`: a gone b is not the end
  // of a. Gone are they when each that is left is.
  bool seen = false;
  for (const bool write_half : {false, true}) {
    const std::optional<PeerLook> look =
        LookAt(write_half ? out_ : in_, write_half, PeerEnd::kGone);
    if (!look.has_value()) continue;
    seen = true;
    if (look->error != 0) {
      return Attempt::Failed(look->error, ErrorScope::kDirection);
    }
    if (!look->gone) return Attempt::WouldBlock(look->wait);
  }
  return seen ? Attempt::Peer(PeerEnd::kGone)
              : Attempt::WouldBlock(Wait::Until(sys_->Now() + kLookAgain));
}

bool FdTransport::abort_is_visible() const {
  return !two_ && in_.is_owned && in_.facts.kind == FdKind::kTcp;
}

bool FdTransport::ends_are_visible() const {
  const Held& held = two_ ? out_ : in_;
  return held.is_owned && held.facts.can_write &&
         (IsSocket(held.facts.kind) || ShutIsClose(/*write_half=*/true));
}

void FdTransport::Abort() {
  if (!abort_is_visible()) return;
  // [run] Sends the RST at once, also while a duplicate of the fd is held
  // elsewhere, which a close with SO_LINGER 0 doesn't.
  sockaddr none = {};
  none.sa_family = AF_UNSPEC;
  if (sys_->Connect(in_.facts.fd, &none, sizeof(none)) == 0) return;
  // Then at least the Close that follows: the peer must not see an end in order
  // (P1).
  constexpr linger kReset = {1, 0};
  sys_->Setsockopt(in_.facts.fd, SOL_SOCKET, SO_LINGER, &kReset,
                   sizeof(kReset));
}

void FdTransport::CloseHeld(Held& held) {
  const int error = held.owned.reset();
  // close(2): the fd is gone whatever the answer; "interrupted" is no failure.
  if (error != 0 && first_close_error_ == 0 &&
      TreatmentOf(SysCall::kOther, error) == Treatment::kFail) {
    first_close_error_ = error;
  }
}

int FdTransport::CloseAll() {
  // Of a description of our own nothing can be lost: it was never written
  // through a cache (pipes and terminals only).
  reader_.CloseOwnDescription();
  writer_.CloseOwnDescription();
  CloseHeld(in_);
  CloseHeld(out_);
  return first_close_error_;
}

absl::Status FdTransport::Close() {
  const int error = CloseAll();
  return error == 0 ? absl::OkStatus()
                    : ErrnoStatus(error, "close",
                                  EndpointPair(names_.local, names_.peer));
}

void FdTransport::CloseAfterFork() { CloseAll(); }

int FdTransport::HandleOf(const Held& held) const {
  if (!held.is_owned) return held.facts.fd;
  absl::MutexLock lock(&mu_);
  return held.owned.get();
}

int FdTransport::ReleaseFd() {
  if (two_ || !in_.is_owned) return -1;
  reader_.CloseOwnDescription();
  writer_.CloseOwnDescription();
  absl::MutexLock lock(&mu_);
  return in_.owned.release();
}

}  // namespace internal
}  // namespace flow
