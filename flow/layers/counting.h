// File: counting.h
//
// Count: a flow whose bytes and steps are counted where others can see it.
//
//   auto counters = std::make_shared<flow::FlowCounters>();
//   absl::StatusOr<flow::Flow> counted =
//       flow::Count(*std::move(connection), counters);
//   ...
//   // In any other thread, at any time, also when the flow is gone:
//   std::cout << counters->Get();
//
// Also known as: meter, statistics, traffic accounting. (Flow::GetStats tells
// the same of one flow to whoever has it. This is for who has not, or has many:
// several flows may share one FlowCounters, which then has their sums.)
//
// The flow is a layer (flow/flow.h, "Shutdown"): it owns the flow below, whose
// properties and endpoints it shows.
//
// Guarantees:
// - What a call has moved is counted before the call returns.
// - Counters only grow; Get() never blocks. Its numbers are each exact, but may
//   be from slightly different instants while calls are under way.
// - Bytes that are thrown away (by Shutdown of both sides) are not counted.

#ifndef FLOW_LAYERS_COUNTING_H_
#define FLOW_LAYERS_COUNTING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "flow/flow.h"

namespace flow {

// What one direction has done.
struct DirectionCounts {
  // Given to readers, or accepted from writers.
  uint64_t bytes = 0;
  // Steps that moved bytes: of a plain fd, its system calls. One Write may take
  // several, and one with many pieces is still one if there is room.
  uint64_t steps = 0;
  // Steps that found nothing to read, or no room, and had to wait.
  uint64_t waits = 0;
  // Ends: in order (Eof, Shutdown(kWrite)), and by failures.
  uint64_t ends = 0;
  uint64_t failures = 0;

  // "12 B in 3 steps, 1 waits, 1 ends, 0 failures".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const DirectionCounts& counts) {
    sink.Append(counts.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const DirectionCounts& counts) {
    return os << counts.ToString();
  }
};

// A snapshot. A value.
struct FlowCounts {
  // Each way, over all flows.
  DirectionCounts read;
  DirectionCounts written;
  uint64_t opened = 0;   // flows that were given to Count
  uint64_t closed = 0;   // of those, and by now
  uint64_t aborted = 0;  // of those that are closed

  // "12 B in 3 steps, 34 B out 1 steps, 1 of 2 flows open".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const FlowCounts& counts) {
    sink.Append(counts.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const FlowCounts& counts) {
    return os << counts.ToString();
  }
};

// Where flows are counted. Thread-safe; outlives them, shared.
class FlowCounters {
 public:
  // All of them now.
  FlowCounts Get() const;

  // As Get().
  std::string ToString() const { return Get().ToString(); }
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const FlowCounters& counters) {
    sink.Append(counters.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const FlowCounters& counters) {
    return os << counters.ToString();
  }

 private:
  friend class CountingTransport;

  struct Direction {
    DirectionCounts Get() const;

    std::atomic<uint64_t> bytes{0};
    std::atomic<uint64_t> steps{0};
    std::atomic<uint64_t> waits{0};
    std::atomic<uint64_t> ends{0};
    std::atomic<uint64_t> failures{0};
  };

  Direction read_;
  Direction written_;
  std::atomic<uint64_t> opened_{0};
  std::atomic<uint64_t> closed_{0};
  std::atomic<uint64_t> aborted_{0};
};

// `below`, counted by `counters`. INVALID_ARGUMENT if there are none;
// FAILED_PRECONDITION if `below` is in use or has ended on either side. On an
// error `below` is closed.
[[nodiscard]] absl::StatusOr<Flow> Count(
    Flow below, std::shared_ptr<FlowCounters> counters);

}  // namespace flow

#endif  // FLOW_LAYERS_COUNTING_H_
