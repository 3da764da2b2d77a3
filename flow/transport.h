// File: transport.h
//
// Transport: what a kind of stream has to supply, and all that it has to. (What
// its tries answer is in flow/attempt.h.)
//
// A transport is a few calls that *never block* and never decide. flow::Flow
// waits, keeps deadlines, serves Close and cancellation, and remembers every
// ending (flow/state.h), so that whoever writes a Transport writes no semantics
// and gets the whole contract of flow/flow.h, and the conformance suite of
// flow/testing/conformance.h to prove it.
//
//   class Fifo : public flow::Transport {
//     flow::Attempt TryRead(absl::Span<const iovec> into) override {
//       absl::MutexLock lock(&mu_);
//       const uint64_t seq = signal_.seq();          // before the look
//       if (bytes_.empty()) {
//         return ended_ ? flow::Attempt::Eof()
//                       : flow::Attempt::WouldBlock(
//                             flow::Wait::For(&signal_, seq));
//       }
//       ... copy n >= 1 bytes, signal_.Notify() ...
//       return flow::Attempt::Transferred(n);
//     }
//     ...
//   };
//   flow::Flow f(std::make_unique<Fifo>());
//
// Who calls what, when:
// - At most one thread at a time is in TryRead or TryDrain, the read direction,
//   and at most one in TryWrite, TryFlush or TryShutdown(kWrite), the write
//   direction. The two directions run at the same time. TryShutdown(kRead) is
//   called with the read direction held.
// - TryPeerEnd, Abort, last_error and the properties may be called at the same
//   time as anything but Close.
// - Close is called once, when nobody is inside any more; nothing after it but
//   the destructor. A transport that is destroyed without Close frees
//   everything as Close would.
// - Spans are never empty, and no iovec of them is.
// - After an ending (Eof or Failed) a direction is not tried again, but for
//   the bytes that may still be there when the *other* direction met an error
//   for the whole flow.

#ifndef FLOW_TRANSPORT_H_
#define FLOW_TRANSPORT_H_

#include <sys/uio.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/adaptive_reads.h"
#include "flow/attempt.h"
#include "flow/endpoint.h"

namespace flow {

class Transport {
 public:
  virtual ~Transport() = default;

  // Moves what is there into `into`, in order: at least one byte, perhaps fewer
  // than fit. Eof only if the peer ended in order.
  virtual Attempt TryRead(absl::Span<const iovec> into) = 0;

  // Takes what there is room for from `from`, in order: at least one byte,
  // perhaps fewer than offered. A byte counted in Transferred will be sent, or
  // the flow will fail; the memory is not looked at after the call.
  virtual Attempt TryWrite(absl::Span<const iovec> from) = 0;

  // Pushes out what TryWrite has taken but holds back. A Write is OK only when
  // this is Transferred. The default holds nothing back.
  virtual Attempt TryFlush() { return Attempt::Transferred(0); }

  // kWrite: tells the peer that no more will come (FIN, close_notify); called
  // again until it is Transferred. kRead: lets go of the read half; a
  // WouldBlock is taken for done. Never called with kReadWrite. Not being able
  // to tell the peer is not a failure.
  virtual Attempt TryShutdown(ShutdownMode half) = 0;

  // Says how far the peer has ended, without reading and without holding a
  // direction: Attempt::Peer(kFinished or kGone), only when certain, and at
  // least `at_least`; else WouldBlock with a Wait that can't spin.
  virtual Attempt TryPeerEnd(PeerEnd at_least);

  // Makes the end visible to the peer as a failure, if this kind of stream can
  // (TCP: RST). Close follows.
  virtual void Abort() {}

  // Frees everything, including what this is layered on. Does not block on the
  // peer. Its status is what every Close of the flow returns.
  virtual absl::Status Close() = 0;

  // In a child of fork: frees the descriptors with close(2) and does nothing
  // else, since the stream is still the parent's. Called instead of Close.
  virtual void CloseAfterFork() {}

  // Words for the last Failed of this transport: code, message and, if made
  // with MakeStatus(), kind. Asked for once, right after the failure, by the
  // thread that met it. OK (the default): the errno says it all.
  virtual absl::Status last_error() const { return absl::OkStatus(); }

  // --- Layers (TLS, throttle): a transport that owns another flow's.

  // True if there is a flow below, which is to be closed once both sides of
  // this one are shut (SEED.md).
  virtual bool is_layer() const { return false; }

  // Reads and drops what the peer still sends below, after TryShutdown(kWrite)
  // and with the read side shut: so that closing the flow below doesn't reset
  // what the peer has yet to read. Like TryRead.
  virtual Attempt TryDrain(absl::Span<const iovec> scratch);

  // --- Properties, constant for the life of the transport.

  // Which directions it has. A direction that it does not have is at its end
  // from the start: reads give Eof, writes *closed locally*.
  virtual bool can_read() const { return true; }
  virtual bool can_write() const { return true; }

  // True if the peer can see an Abort as one.
  virtual bool abort_is_visible() const { return false; }
  // True if the peer can see Shutdown(kWrite).
  virtual bool ends_are_visible() const { return true; }
  // True for plain fds, where readiness of the fd is readiness of the flow: no
  // byte is ever held between the kernel and TryRead.
  virtual bool PollIsTruth() const { return false; }
  // Which habits reads may take on, those of futures too. To wait before a try
  // is only right where PollIsTruth; to spin, where a try that finds nothing
  // costs no more than one system call.
  virtual AdaptiveReads adaptive_reads() const { return {false, false}; }
  // The fd behind this, for getsockopt and the like; -1 if there is none, or
  // two. Still owned by the transport.
  virtual int native_handle() const { return -1; }
  // The fds that TryRead and TryWrite end at, each -1 if it is not known; they
  // differ for a flow on two fds. A layer's are those of what is below. The
  // futures driver looks whether a try may wait for a disk.
  virtual int read_handle() const { return native_handle(); }
  virtual int write_handle() const { return native_handle(); }
  // The same for those who move bytes inside the kernel, in place of TryRead or
  // TryWrite and with that direction held. None for a layer that looks at bytes
  // or holds some, and where a call on the fd might block (files excepted).
  virtual RawEnd raw_read() const { return {}; }
  virtual RawEnd raw_write() const { return {}; }
  // True if this is nothing but one fd that it owns, which ReleaseFd can then
  // give away (instead of Close); it keeps the flags that were set on it.
  virtual bool can_release_fd() const { return false; }
  virtual int ReleaseFd() { return -1; }

  // What its reads are called in messages: a listener's are "accept".
  virtual absl::string_view read_name() const { return "read"; }

  // For messages: the layers between the flow and what the endpoints name, the
  // outermost first, each followed by " over ": "throttle over prefix over ".
  // Empty if it is none. Asked for once, when the flow is made.
  virtual std::string layers() const { return {}; }

  // Both ends by name, captured when the stream was made.
  virtual Endpoint local() const { return {}; }
  virtual Endpoint peer() const { return {}; }
};

}  // namespace flow

#endif  // FLOW_TRANSPORT_H_
