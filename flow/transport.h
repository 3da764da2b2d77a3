// File: transport.h
//
// Transport: what a kind of stream has to supply, and all that it has to.
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
// - At most one thread at a time is in TryRead or TryDrain (the read
// direction),
//   and at most one in TryWrite, TryFlush or TryShutdown(kWrite) (the write
//   direction). The two directions run at the same time. TryShutdown(kRead) is
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

#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/signal.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"

namespace flow {

// Which halves of a flow to shut down.
enum class ShutdownMode : uint8_t { kRead, kWrite, kReadWrite };
absl::string_view ShutdownModeName(ShutdownMode mode);
std::ostream& operator<<(std::ostream& os, ShutdownMode mode);
template <typename Sink>
void AbslStringify(Sink& sink, ShutdownMode mode) {
  sink.Append(ShutdownModeName(mode));
}

// What is known of the peer without reading: it sends no more, or it is gone
// (reset, or closed for certain).
enum class PeerEnd : uint8_t { kFinished = 1, kGone = 2 };
absl::string_view PeerEndName(PeerEnd end);
std::ostream& operator<<(std::ostream& os, PeerEnd end);
template <typename Sink>
void AbslStringify(Sink& sink, PeerEnd end) {
  sink.Append(PeerEndName(end));
}

// What may make another try worth while. Whichever of the parts that are set
// comes first ends the wait. Waking for nothing is allowed; not waking is not.
struct Wait {
  int fd = -1;              // the kernel: poll(fd, events); errors and hang-ups
  short events = 0;         // always count
  MonoTime until = kNever;  // a time: throttles, back-off
  Signal* signal = nullptr;  // another thread: wakes once signal->seq() is no
  uint64_t seq = 0;          // longer `seq`, which was read before the try
  // What woke the try was no false alarm, though there was nothing for it:
  // bytes moved below, perhaps on behalf of the other direction. (Three false
  // alarms in a row make a driver ask more rarely.)
  bool moved = false;
  bool signal_is_rare = false;  // beside the fd: may be seen up to 20 ms late,
                                // so that the fd alone can be waited for first

  // Waits for one of these.
  static Wait ForFd(int fd, short events) {
    Wait wait;
    wait.fd = fd;
    wait.events = events;
    return wait;
  }
  // Until an instant.
  static Wait Until(MonoTime until) {
    Wait wait;
    wait.until = until;
    return wait;
  }
  // Until another thread notifies.
  static Wait For(Signal* signal, uint64_t seq) {
    Wait wait;
    wait.signal = signal;
    wait.seq = seq;
    return wait;
  }

  // "fd 5, events 1; until 12.5s; a signal".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Wait& wait) {
    sink.Append(wait.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Wait& wait) {
    return os << wait.ToString();
  }
};

// What may be handed to splice(2) and its like beside a direction's tries: the
// fd that TryRead or TryWrite is nothing but a system call on.
struct RawEnd {
  // What the kernel can do with it.
  enum class Kind : uint8_t { kNone, kTcp, kSocket, kPipe, kFile };

  Kind kind = Kind::kNone;
  int fd = -1;
  ErrorScope widest = ErrorScope::kDirection;  // of an error on it
  Syscalls* sys = nullptr;

  explicit operator bool() const { return kind != Kind::kNone; }
  bool is_socket() const { return kind == Kind::kTcp || kind == Kind::kSocket; }
};

// The outcome of one try. Small and trivially copyable.
class Attempt {
 public:
  // The four answers.
  enum class Kind : uint8_t { kTransferred, kEof, kWouldBlock, kFailed };

  // It went well: `n` bytes moved (a read or write: 1 <= n <= what was asked;
  // a flush or shutdown: any n), or, for TryPeerEnd, the PeerEnd.
  static Attempt Transferred(size_t n) {
    Attempt a(Kind::kTransferred);
    a.n_ = n;
    return a;
  }
  // TryPeerEnd: this much is certain.
  static Attempt Peer(PeerEnd end) {
    return Transferred(static_cast<size_t>(end));
  }
  // The peer ended in order. Reads only.
  static Attempt Eof() { return Attempt(Kind::kEof); }

  // Nothing can be done before `wait` is over.
  static Attempt WouldBlock(const Wait& wait) {
    Attempt a(Kind::kWouldBlock);
    a.wait_ = wait;
    return a;
  }
  // The same, but something of this direction's did move, such as a part of a
  // TLS record: no false alarm (Wait::moved), and the stall limit begins anew.
  static Attempt Progressed(const Wait& wait) {
    Attempt a = WouldBlock(wait);
    a.wait_.moved = true;
    a.progressed_ = true;
    return a;
  }

  // The kernel said `error`; `call` and its errno say the rest by themselves.
  // The scope is the errno table's.
  static Attempt Failed(int error) {
    return Failed(error, MeaningOf(error).scope);
  }
  static Attempt Failed(int error, ErrorScope scope) {
    Attempt a(Kind::kFailed);
    a.error_ = error;
    a.error_kind_ = MeaningOf(error).kind;
    a.scope_ = scope;
    return a;
  }
  // A failure without an errno; last_error() has the words for it.
  static Attempt Failed(ErrorKind kind, ErrorScope scope) {
    Attempt a(Kind::kFailed);
    a.error_kind_ = kind;
    a.scope_ = scope;
    return a;
  }

  Kind kind() const { return kind_; }
  bool transferred() const { return kind_ == Kind::kTransferred; }
  bool would_block() const { return kind_ == Kind::kWouldBlock; }
  bool eof() const { return kind_ == Kind::kEof; }
  bool failed() const { return kind_ == Kind::kFailed; }

  size_t n() const { return n_; }                       // kTransferred
  const Wait& wait() const { return wait_; }            // kWouldBlock
  bool progressed() const { return progressed_; }       // kWouldBlock
  int error() const { return error_; }                  // kFailed; 0: none
  ErrorKind error_kind() const { return error_kind_; }  // kFailed
  ErrorScope scope() const { return scope_; }           // kFailed

  // "12 transferred", "Eof", "would block: fd 5, events 1", "reset [104]".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Attempt& attempt) {
    sink.Append(attempt.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Attempt& attempt) {
    return os << attempt.ToString();
  }

 private:
  explicit Attempt(Kind kind) : kind_(kind) {}

  Kind kind_;
  bool progressed_ = false;
  ErrorKind error_kind_ = ErrorKind::kOther;
  ErrorScope scope_ = ErrorScope::kFlow;
  int error_ = 0;
  size_t n_ = 0;
  Wait wait_;
};

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
  // True if a blocking read may wait for the descriptor of its last wait before
  // it tries, where reads have kept having to wait: only where PollIsTruth.
  virtual bool WaitsFirst() const { return false; }
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
