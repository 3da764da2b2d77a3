// File: attempt.h
//
// Attempt: what a try of a Transport (flow/transport.h) came to, and the words
// that it is told in: what may end a wait, which half, how far the peer has
// ended.
//
//   if (n > 0) return flow::Attempt::Transferred(n);
//   if (ended) return flow::Attempt::Eof();
//   if (lost) return flow::Attempt::Failed(ECONNRESET);
//   return flow::Attempt::WouldBlock(flow::Wait::ForFd(fd, POLLIN));
//
// Guarantees: plain values. They own nothing: the signal of a Wait belongs to
// the transport, or to what that stands on.

#ifndef FLOW_ATTEMPT_H_
#define FLOW_ATTEMPT_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "flow/signal.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"

namespace flow {

// Which halves of a flow to shut down.
enum class ShutdownMode : uint8_t {
  kRead,       // reads say Eof from now on
  kWrite,      // what was written is sent, then the end mark
  kReadWrite,  // both
};
// "read", "write", "read-write"
absl::string_view ShutdownModeName(ShutdownMode mode);
std::ostream& operator<<(std::ostream& os, ShutdownMode mode);
template <typename Sink>
void AbslStringify(Sink& sink, ShutdownMode mode) {
  sink.Append(ShutdownModeName(mode));
}

// What is known of the peer without reading.
enum class PeerEnd : uint8_t {
  kFinished = 1,  // it sends no more
  kGone = 2,      // it is reset, or closed for certain
};
// "finished", "gone"
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
  enum class Kind : uint8_t {
    kNone,    // nothing: there is no such fd
    kTcp,     // a TCP socket, which can be corked
    kSocket,  // another stream socket
    kPipe,    // a pipe or FIFO
    kFile,    // a regular file
  };

  Kind kind = Kind::kNone;  // kNone: the rest is not looked at
  int fd = -1;              // still the transport's
  ErrorScope widest = ErrorScope::kDirection;  // of an error on it
  Syscalls* sys = nullptr;                     // what its calls are made with

  // Whether there is one; whether its kind is one of the two sockets.
  explicit operator bool() const { return kind != Kind::kNone; }
  bool is_socket() const { return kind == Kind::kTcp || kind == Kind::kSocket; }

  // "tcp fd 5"; "none".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const RawEnd& end) {
    sink.Append(end.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const RawEnd& end) {
    return os << end.ToString();
  }
};
// "none", "tcp", "socket", "pipe", "file"
absl::string_view RawEndKindName(RawEnd::Kind kind);
std::ostream& operator<<(std::ostream& os, RawEnd::Kind kind);
template <typename Sink>
void AbslStringify(Sink& sink, RawEnd::Kind kind) {
  sink.Append(RawEndKindName(kind));
}

// The outcome of one try. Small and trivially copyable.
class Attempt {
 public:
  // The four answers; each has a function of its name below, which makes it.
  enum class Kind : uint8_t {
    kTransferred,  // bytes moved, or it is done
    kEof,          // the peer ended in order
    kWouldBlock,   // nothing can be done yet
    kFailed,       // it ended by an error
  };

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

  // Which of the four it is.
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

// "transferred", "Eof", "would block", "failed"
absl::string_view AttemptKindName(Attempt::Kind kind);
std::ostream& operator<<(std::ostream& os, Attempt::Kind kind);
template <typename Sink>
void AbslStringify(Sink& sink, Attempt::Kind kind) {
  sink.Append(AttemptKindName(kind));
}

}  // namespace flow

#endif  // FLOW_ATTEMPT_H_
