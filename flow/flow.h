// File: flow.h
//
// Flow: a reliable byte stream to one peer, used with calls that block.
//
//   absl::StatusOr<flow::Flow> f =
//       flow::Dial("tcp:localhost:7", absl::Seconds(5));
//   if (!f.ok()) return f.status();
//   absl::Status sent = f->Write("hello\n");
//   if (!sent.ok()) return sent;
//   for (;;) {
//     absl::StatusOr<flow::OrEof<flow::Buffer>> got = f->Read();
//     if (!got.ok()) return got.status();
//     if (got->is_eof()) break;
//     std::cout << got->data().view();
//   }
//
// The contract is that of MirageOS's Mirage_flow, kept to the letter:
//
// clang-format off
// | side and its state             | Read           | ReadInto of 0 B | Write*          | Shutdown of it | Close       |
// |--------------------------------|----------------|-----------------|-----------------|----------------|-------------|
// | open                           | data/Eof/waits | 0               | accepted/waits  | OK             | OK          |
// | read: eof, error e             | Eof / e        | Eof / e         | -               | OK, then Eof   | OK          |
// | read: draining (writer met e)  | data, then e   | 0               | e               | OK, then Eof   | OK          |
// | read: shut (even meanwhile)    | Eof            | Eof             | -               | OK             | OK          |
// | write: shutting (cut by limit) | -              | -               | closed locally  | goes on        | OK          |
// | write: shut                    | -              | -               | closed locally  | OK             | OK          |
// | write: closed by peer, error e | -              | -               | that / e        | OK             | OK          |
// | write: sealed                  | -              | -               | kSealed         | OK, end mark   | OK          |
// | closed                         | closed locally | closed locally  | closed locally  | OK, nothing    | the first's |
// clang-format on
//
// Every call looks in this order: closed; own Shutdown of that side; the first
// end recorded for that side; the limits; the length of what it was given.
// (So after Shutdown(kWrite) the answer of a write is *closed locally*,
// whatever had ended the side before: the seed's `Closed`.)
//
// - Endings are sticky for their direction. Not sticky, since the flow did not
//   fail: DEADLINE_EXCEEDED, CANCELLED by a token, INVALID_ARGUMENT.
// - A reset is never an end of stream, whichever direction met it first. An
//   error that ends the whole flow still lets Read deliver what had arrived.
// - OK from a Write means that the transport has accepted every byte, in order;
//   not that the peer has them. They may travel in any packets. The buffers are
//   the caller's again when the call returns, whatever it returned.
// - A Write that a limit cuts after some bytes were accepted *seals* the write
//   side: its status has the count (BytesDone), later writes are refused, since
//   a retry would repeat bytes. With nothing accepted, nothing happened. Who
//   wants to go on after a limit uses WriteSome.
// - After Eof or an error the flow should be closed; nothing else is needed.
//
// Guarantees:
// - Every method may be called from any thread at any time; what a Write put in
//   is visible after the Read that took it out. Only destroying or moving the
//   Flow object must not race with calls that *begin*; calls that are already
//   blocked are woken and end (CANCELLED).
// - One reader and one writer never wait for each other. Several Writes are
//   served first come, first served, and never interleave; so are several
//   Reads, each of which gets a contiguous run.
// - Close, Abort and a token free every blocked call within 100 ms (at most
//   20 ms late for a call that has just begun to wait, 2 ms for the others).
//   Deadlines are never early and at most 50 ms late on an idle machine.
//   Exempt: regular files, devices, and what else the kernel can only block on.
// - A blocked call makes at most 20 system calls a second; 40 while the kernel
//   refuses a send for want of memory.
// - No signal is raised, no signal disposition changed, nothing thrown.
// - After fork without exec, a child may only destroy its copies.

#ifndef FLOW_FLOW_H_
#define FLOW_FLOW_H_

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/endpoint.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {

class AsyncFlow;
class FlowObserver;

namespace internal {
class Core;
struct FlowAccess;
}  // namespace internal

class Flow {
 public:
  // No flow: every call answers *closed locally*, and Close OK.
  Flow() = default;

  // A flow over `transport`. `sys` makes the waits and tells the time; null is
  // the real kernel; it must outlive the flow.
  explicit Flow(std::unique_ptr<Transport> transport, Syscalls* sys = nullptr);

  // A moved-from Flow is like a default-constructed one.
  Flow(Flow&& other) noexcept;
  Flow& operator=(Flow&& other) noexcept;
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  // Close without waiting: never blocks. Calls that are blocked on this flow
  // in other threads end with CANCELLED.
  ~Flow();

  // ------------------------------------------------ Legal in every state.

  // Waits until data is there and returns a fresh buffer with at least one
  // byte, of a size that fits the stream's habits; or Eof. On an error nothing
  // was consumed.
  [[nodiscard]] absl::StatusOr<OrEof<Buffer>> Read(const Limits& limits = {});

  // The same into the caller's memory: between 1 and `into.size()` bytes. An
  // empty span does not wait: 0 on an open side, else the side's ending. A null
  // span with a length is INVALID_ARGUMENT. On an error nothing was consumed.
  [[nodiscard]] absl::StatusOr<OrEof<size_t>> ReadInto(
      absl::Span<char> into, const Limits& limits = {});

  // Waits until the transport has accepted all of `bytes`. On an error,
  // BytesDone(status) were accepted, and the write side has ended or, if a
  // limit hit before the first byte, is as it was. A later Write is told the
  // same status, with the first one's count, and none of its own bytes was
  // accepted. Empty: OK if the side is open.
  [[nodiscard]] absl::Status Write(absl::string_view bytes,
                                   const Limits& limits = {});
  [[nodiscard]] absl::Status Write(const absl::Cord& bytes,
                                   const Limits& limits = {});

  // The same for several pieces, with as few system calls as there can be (one
  // if there is room); empty pieces are skipped.
  [[nodiscard]] absl::Status Writev(absl::Span<const absl::string_view> pieces,
                                    const Limits& limits = {});

  // Waits until the transport takes at least one byte and returns how many it
  // took in that one step. On an error none was taken, so the caller can always
  // go on. Steps of several writers interleave. Empty: 0 if the side is open.
  [[nodiscard]] absl::StatusOr<size_t> WriteSome(absl::string_view bytes,
                                                 const Limits& limits = {});

  // kRead: this side will never read again; Reads give Eof, one that is blocked
  // right now too. Does not wait. kWrite: waits its turn behind earlier writes,
  // flushes, and tells the peer that no more will come; later writes answer
  // *closed locally*. Cut by a limit, it can be called again to go on.
  // kReadWrite: both, or, if a limit has passed before it began, neither. If
  // this flow is a layer (TLS over TCP) and both sides are now shut, the flow
  // below is closed, in order (at most 1 s, within `limits`). OK also when the
  // side had ended before.
  [[nodiscard]] absl::Status Shutdown(ShutdownMode mode,
                                      const Limits& limits = {});

  // Ends the flow and frees everything; bytes in flight may be lost (see
  // CloseGracefully). Wakes blocked calls, which return CANCELLED, and waits at
  // most 100 ms for them to leave. Idempotent: later calls return the status of
  // the first. OK is the usual status; an error is that of close(2), after
  // which the flow is closed all the same (so `Close().IgnoreError()` is fine).
  absl::Status Close();

  // Shutdown(kWrite), then reads and drops until the peer ends too, then Close:
  // the way to know that the peer has got everything. OK: the peer's end was
  // seen, and nothing that was written is known to be lost; or there is no
  // peer's end to see, since this flow can't read or has done Shutdown(kRead).
  // DEADLINE_EXCEEDED or CANCELLED: a limit cut it, or another thread's Close.
  // An error of the stream is returned, also one that was told before, and the
  // status of a sealed side. The flow is closed in any case. Several may wait
  // at once. Blocked Reads wake with CANCELLED.
  [[nodiscard]] absl::Status CloseGracefully(const Limits& limits);

  // Close, but so that the peer sees a failure rather than a clean end, where
  // the transport can (abort_is_visible): TCP sends a reset.
  absl::Status Abort();

  // Waits until the peer has ended at least so far: kFinished, it sends no more
  // (there may still be data to read); kGone, it is reset or closed for
  // certain. Holds no direction: reads and writes go on meanwhile. Over TCP a
  // peer's close() and its Shutdown(kWrite) look the same until something is
  // written. UNIMPLEMENTED where the transport can't tell.
  [[nodiscard]] absl::StatusOr<PeerEnd> WaitPeerEnd(PeerEnd at_least,
                                                    const Limits& limits = {});

  // ------------------------------------------------ What it is. Never blocks.

  // True unless default-constructed, moved-from or released.
  explicit operator bool() const;

  // Both ends, as they were when the flow was made.
  Endpoint local() const;
  Endpoint peer() const;

  // Bytes and operations each way, age, and what the flow waits for.
  Stats GetStats() const;

  // Tells `observer` (flow/observer.h) of operations that begin from now on,
  // beside the others that it has. Any thread. Nothing on no flow.
  void Observe(std::shared_ptr<FlowObserver> observer) const;

  // Whether the peer can see an Abort / a Shutdown(kWrite) as such.
  bool abort_is_visible() const;
  bool ends_are_visible() const;

  // The fd, still owned by the flow, for getsockopt and the like; -1 if there
  // is none, or two, or the flow is closed.
  int native_handle() const;

  // "flow tcp 127.0.0.1:5432 -> 127.0.0.1:40112, open, 12 B in, 34 B out".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Flow& flow) {
    sink.Append(flow.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Flow& flow) {
    return os << flow.ToString();
  }

  // ------------------------------------------------ Taking it apart.

  // Gives the transport away, for a layer or for STARTTLS; the flow is then
  // closed. FAILED_PRECONDITION while a call is under way or after an ending,
  // and the flow stays as it is.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<Transport>> ReleaseTransport();

  // Likewise the fd of a flow on one owned fd; UNIMPLEMENTED for others, and
  // the flow stays as it is. The fd keeps the flags that the flow set on it.
  [[nodiscard]] absl::StatusOr<UniqueFd> ReleaseFd();

  // The syscalls that this flow waits with (internal: layers inherit them).
  Syscalls* syscalls() const;

 private:
  friend class AsyncFlow;
  friend struct internal::FlowAccess;

  internal::Core* core_ = nullptr;
};

}  // namespace flow

#endif  // FLOW_FLOW_H_
