// File: fault.h
//
// InjectFaults: a flow that behaves badly, the same way each time.
//
//   flow::FaultPlan plan;
//   plan.seed = 7;
//   plan.read.delay = absl::Milliseconds(40);      // a slow answer
//   plan.read.max_step = 7;                        // in crumbs
//   plan.write.reset_at = 1000;                    // and then no more
//   absl::StatusOr<flow::Flow> bad =
//       flow::InjectFaults(*std::move(connection), plan);
//
// Also known as: chaos, toxiproxy, netem, lossy link. For tests of programs
// that use flows, and to see how a live program takes it. (How many bytes a
// second there are is the throttle's, flow/layers/throttle.h.)
//
// | fault       | what happens                                                |
// |-------------|-------------------------------------------------------------|
// | delay,      | What is read was there `delay` to `delay + jitter` ago, in  |
// |   jitter    | order. A Write and a Shutdown(kWrite) take so much longer.  |
// | max_step    | A step moves 1 to so many bytes.                            |
// | corrupt_at, | One bit of the byte is flipped.                             |
// |   corrupt   |                                                             |
// | reset_at    | After so many bytes of this direction both give UNAVAILABLE |
// |             | (kReset, ECONNRESET), and the flow below is aborted.        |
// | cut_at      | The same, but DATA_LOSS (kTruncated): the stream stopped    |
// |             | without an end.                                             |
//
// Bytes count from 0, each direction for itself. After an end the peer sees a
// reset if the flow below can show one (abort_is_visible), else nothing before
// the Close; never a clean end instead, and of the bytes before it perhaps not
// all, as of any reset. It comes with the read after the last byte, or with the
// Write that sends the last byte (which may so fail with all its bytes done).
//
// The flow is a layer (flow/flow.h, "Shutdown"): it owns the flow below, whose
// properties and endpoints it shows.
//
// Guarantees:
// - The same seed and plan, the same steps below and calls above: the same
//   faults. Which bytes are corrupted depends on seed and position alone.
// - Nothing is held back from the peer: a Write that is delayed has not been
//   taken, so a deadline that is shorter than the delay leaves nothing behind.
// - Bytes that wait to be read take at most `max_held` bytes of memory. Their
//   delay begins when a Read first finds them: with no Read under way, nobody
//   looks. Those that still wait when a Write meets a reset are lost with it.
// - Time is that of the flow below (its Syscalls).

#ifndef FLOW_LAYERS_FAULT_H_
#define FLOW_LAYERS_FAULT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"

namespace flow {

// What is wrong with one direction. Nothing, by default.
struct DirectionFaults {
  absl::Duration delay;   // >= 0 and finite
  absl::Duration jitter;  // the same: at most so much more, at random

  size_t max_step = 0;  // 0: as it comes

  // Positions of bytes, in any order.
  std::vector<uint64_t> corrupt_at;
  // The probability for each other byte: 0 to 1.
  double corrupt = 0;

  // After how many bytes of this direction the stream is cut, or reset. Of two
  // the first counts.
  std::optional<uint64_t> cut_at;
  std::optional<uint64_t> reset_at;

  // "delay 40ms, steps of at most 7 B, reset at 1000"; "none".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const DirectionFaults& faults) {
    sink.Append(faults.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const DirectionFaults& faults) {
    return os << faults.ToString();
  }
};

// What is wrong with a flow.
struct FaultPlan {
  // Of all that is left to chance: the same seed, the same faults.
  uint64_t seed = 1;
  // What is wrong with each direction.
  DirectionFaults read;
  DirectionFaults write;

  // How many bytes may wait for their delay to be over: with a delay, more than
  // this is not read ahead. > 0.
  size_t max_held = size_t{256} << 10;

  // "seed 7; read: delay 40ms; write: none".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const FaultPlan& plan) {
    sink.Append(plan.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const FaultPlan& plan) {
    return os << plan.ToString();
  }
};

// `below`, with the faults of `plan`. INVALID_ARGUMENT for a delay that is
// negative or infinite, a probability that is none, or a `max_held` of 0;
// FAILED_PRECONDITION if `below` is in use or has ended on either side. On an
// error `below` is closed.
[[nodiscard]] absl::StatusOr<Flow> InjectFaults(Flow below,
                                                const FaultPlan& plan);

}  // namespace flow

#endif  // FLOW_LAYERS_FAULT_H_
