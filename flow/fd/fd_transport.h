// File: fd_transport.h (internal)
//
// FdTransport: the transport of flows on one fd, or on a pair of fds (one to
// read from, one to write to). It alone knows who owns which fd, when each is
// closed, and what the halves of a flow mean on it. How bytes move is FdEnd's,
// what the peer does peer_end.h's.
//
// Which fd numbers may be in use when: FdEnd uses them only inside a direction,
// and TryShutdown, which closes an owned pipe end, holds that direction. A
// watcher (TryPeerEnd) holds none: it looks under `mu_`, under which pipe ends
// are closed, and it is never told to sleep on an owned pipe's number, but for
// a time: a sleeping poll would keep the pipe end open (poll holds the file),
// so that the peer would not see the end, and could come back to a stranger's
// fd.

#ifndef FLOW_FD_FD_TRANSPORT_H_
#define FLOW_FD_FD_TRANSPORT_H_

#include <atomic>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "flow/adaptive_reads.h"
#include "flow/endpoint.h"
#include "flow/fd/fd_end.h"
#include "flow/fd/fd_kind.h"
#include "flow/fd/peer_end.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// An fd, and whether it is ours: `owned` holds it, or nothing if it is
// borrowed.
struct FdPart {
  FdFacts facts;
  UniqueFd owned;
};

class FdTransport final : public Transport {
 public:
  // A flow on one fd.
  FdTransport(Syscalls* sys, FdPart both, FdNames names);
  // A flow that reads from one fd and writes to another.
  FdTransport(Syscalls* sys, FdPart in, FdPart out, FdNames names);
  // Closes what Close has not.
  ~FdTransport() override;

  Attempt TryRead(absl::Span<const iovec> into) override;
  Attempt TryWrite(absl::Span<const iovec> from) override;
  Attempt TryShutdown(ShutdownMode half) override;
  Attempt TryPeerEnd(PeerEnd at_least) override;
  void Abort() override;
  absl::Status Close() override;
  void CloseAfterFork() override;

  bool can_read() const override { return in_facts().can_read; }
  bool can_write() const override { return out_facts().can_write; }
  bool abort_is_visible() const override;
  bool ends_are_visible() const override;
  bool PollIsTruth() const override { return true; }
  AdaptiveReads adaptive_reads() const override {
    return HasPeer(in_facts().kind) ? adaptive_ : AdaptiveReads{false, false};
  }
  // Before it is shared.
  void set_adaptive_reads(AdaptiveReads adaptive) { adaptive_ = adaptive; }
  int native_handle() const override { return two_ ? -1 : HandleOf(in_); }
  int read_handle() const override { return HandleOf(in_); }
  int write_handle() const override { return HandleOf(two_ ? out_ : in_); }
  RawEnd raw_read() const override { return reader_.raw(); }
  RawEnd raw_write() const override { return writer_.raw(); }
  bool can_release_fd() const override { return !two_ && in_.is_owned; }
  int ReleaseFd() override;
  Endpoint local() const override { return names_.local; }
  Endpoint peer() const override { return names_.peer; }

 private:
  // One of the one or two fds.
  struct Held {
    FdFacts facts;
    bool is_owned = false;  // constant, also after it was closed
    UniqueFd owned;         // changed under mu_, until Close
  };

  static Held Hold(FdPart part);
  // -1 once it is closed.
  int HandleOf(const Held& held) const;
  const FdFacts& in_facts() const { return in_.facts; }
  const FdFacts& out_facts() const { return two_ ? out_.facts : in_.facts; }
  // True if shutting `half` down is closing an owned pipe end.
  bool ShutIsClose(bool write_half) const;
  // Closes `held` and remembers the first failure.
  void CloseHeld(Held& held);
  // A look at the peer of `held`; nothing if there is none to see: a file, or
  // an end that was closed by Shutdown.
  std::optional<PeerLook> LookAt(const Held& held, bool write_half,
                                 PeerEnd at_least);
  Attempt PeerGone();
  // Without mu_: nobody is inside any more, and in a child of fork it might be
  // held for ever by a thread that isn't there.
  int CloseAll();

  Syscalls* const sys_;
  const bool two_;
  AdaptiveReads adaptive_;
  const FdNames names_;
  Held in_;   // the only one unless two_
  Held out_;  // if two_
  FdEnd reader_;
  FdEnd writer_;
  // What this side has shut down itself, for watchers.
  std::atomic<bool> shut_read_{false};
  std::atomic<bool> shut_write_{false};
  mutable absl::Mutex mu_;     // a leaf; never held while waiting
  int first_close_error_ = 0;  // changed like Held::owned
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FD_FD_TRANSPORT_H_
