// File: observer.h
//
// FlowObserver: is told when operations of a flow begin, wait and end. For
// traces and histograms; flow itself logs nothing.
//
//   class Tracer : public flow::FlowObserver {
//     void OnEnd(const flow::Operation& op,
//                const flow::Outcome& outcome) noexcept override {
//       trace_.Add(op.name, outcome.bytes, outcome.duration, outcome.code);
//     }
//     ...
//   };
//   flow.Observe(std::make_shared<Tracer>());
//
// Blocking calls and futures report from the same place, so both look the same:
// OnBegin, any number of OnWait, OnEnd, with one Operation::id. What is one
// operation here: a read; a write; a Shutdown(kWrite) ("shutdown"); a
// Shutdown(kRead) ("shutdown_read"; a kReadWrite is first this, then the
// other); a Close or Abort, each time; a WaitPeerEnd; the reading to the end of
// a CloseGracefully ("close", of kind kDrain), which is a Shutdown, that, and a
// Close. Layers' flows are other flows than what they stand on. What is done to
// a flow without a call of it (its destructor, the limits of a server) is no
// operation; OnClosed tells its end, once.
//
// Guarantees:
// - An unobserved flow pays one predicted branch for each step, and no clock,
//   no allocation, no atomic read-modify-write. An observed one reads the clock
//   when an operation begins and ends.
// - Threads: each step is told on the thread that makes it. That is the
//   caller's for blocking calls; the submitter's, the poller's or the
//   executor's for futures. Operations of two directions, and queued ones, are
//   told at the same time from several threads; the steps of one operation come
//   one after the other.
// - Re-entrance: an observer is called in the middle of an operation, partly
//   with locks held. It may ask the flow what it is (GetStats, local, peer,
//   ToString); it must not read, write, shut, close, move or destroy it, and
//   should not block: the operation waits for it.
// - Exceptions: the methods are noexcept, in classes that derive from this one
//   too. One that throws ends the program.
// - The flow keeps its observers until it is destroyed and the last operation
//   has left. An observer that holds the Flow would keep itself alive.
// - An operation is reported to the observers that were there when it began.

#ifndef FLOW_OBSERVER_H_
#define FLOW_OBSERVER_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/stats.h"
#include "flow/sys/mono_time.h"

namespace flow {

// What an operation does to its flow.
enum class OperationKind : uint8_t {
  kRead,      // Read, ReadInto; an Accept, a handshake
  kDrain,     // reads and drops, for CloseGracefully
  kWrite,     // Write, Writev, WriteSome
  kShutdown,  // Shutdown(kWrite)
  // These have no place in a direction: they wait for nobody's turn.
  kShutdownRead,  // Shutdown(kRead)
  kClose,         // Close
  kAbort,         // Abort
  kPeerEnd,       // WaitPeerEnd
};
// "read", "drain", "write", "shutdown", "shutdown_read", "close", "abort",
// "wait_peer_end"
absl::string_view OperationKindName(OperationKind kind);
std::ostream& operator<<(std::ostream& os, OperationKind kind);
template <typename Sink>
void AbslStringify(Sink& sink, OperationKind kind) {
  sink.Append(OperationKindName(kind));
}

// One operation. A value; `name` is valid for as long as the program runs.
struct Operation {
  uint64_t id = 0;  // counts the operations that this flow has reported
  OperationKind kind = OperationKind::kRead;  // what it does
  absl::string_view name;  // "read", "write", "accept", as in messages
  uint64_t size = 0;       // bytes that it is to move; 0: as they come
  MonoTime began;          // when it was called; time in the queue counts

  // "write #7 of 4096 B".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Operation& operation) {
    sink.Append(operation.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const Operation& operation) {
    return os << operation.ToString();
  }
};

// What an operation is about to wait for. A value.
struct Waiting {
  Activity what = Activity::kFd;  // kFd, kSignal, kTime or kTurn
  MonoTime until = kNever;        // the nearest of its limits
  uint64_t bytes = 0;             // moved so far

  // "waiting for its descriptor until 12.5s, 100 B done".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Waiting& waiting) {
    sink.Append(waiting.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Waiting& waiting) {
    return os << waiting.ToString();
  }
};

// How an operation ended. A value.
struct Outcome {
  absl::StatusCode code = absl::StatusCode::kOk;  // as its caller is told
  bool eof = false;         // the end of the stream; `code` is kOk
  uint64_t bytes = 0;       // moved by this operation
  absl::Duration duration;  // since Operation::began

  // "OK, 4096 B in 1.5ms"; "Eof, 0 B in 2s".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Outcome& outcome) {
    sink.Append(outcome.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Outcome& outcome) {
    return os << outcome.ToString();
  }
};

// Derive from it and override what is of interest; the rest does nothing.
class FlowObserver {
 public:
  virtual ~FlowObserver() = default;

  // It has been called or, with futures, submitted.
  virtual void OnBegin(const Operation& operation) noexcept;
  // It is about to sleep or to be parked; once for each time.
  virtual void OnWait(const Operation& operation,
                      const Waiting& waiting) noexcept;
  // Its result is known, and not yet told. It has left its direction.
  virtual void OnEnd(const Operation& operation,
                     const Outcome& outcome) noexcept;
  // The flow's transport has been closed, or given away: nothing moves any
  // more. Operations may still be about to end.
  virtual void OnClosed() noexcept;
};

}  // namespace flow

#endif  // FLOW_OBSERVER_H_
