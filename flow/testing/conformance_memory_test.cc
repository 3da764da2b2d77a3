// The conformance suite on streams that need no kernel (case 111): a memory
// pair, also one that holds a single byte; a throttle over it, whose waits are
// times; and each over a transport that forgets every ending.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/layers/throttle.h"
#include "flow/testing/amnesiac_transport.h"
#include "flow/testing/conformance.h"
#include "flow/testing/memory_pair.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using Pair = std::pair<flow::Flow, flow::Flow>;

ConformanceTarget Memory(std::string name, size_t capacity) {
  ConformanceTarget target;
  target.name = std::move(name);
  target.make = [capacity] { return MemoryPair(capacity); };
  target.more_than_fits = capacity + 100'000;
  if (capacity == 1) {
    // Each byte costs two threads a wake-up.
    target.more_than_fits = 1000;
    target.bulk = 20'000;
  }
  return target;
}

// Both ends of the pairs of `below` in a layer.
template <typename Layer>
ConformanceTarget Over(ConformanceTarget below, std::string name, Layer layer) {
  ConformanceTarget target = below;
  target.name = std::move(name);
  target.make = [below, layer]() -> absl::StatusOr<Pair> {
    absl::StatusOr<Pair> pair = below.make();
    if (!pair.ok()) return pair.status();
    absl::StatusOr<flow::Flow> first = layer(std::move(pair->first));
    if (!first.ok()) return first.status();
    absl::StatusOr<flow::Flow> second = layer(std::move(pair->second));
    if (!second.ok()) return second.status();
    return Pair(*std::move(first), *std::move(second));
  };
  return target;
}

absl::StatusOr<flow::Flow> Slow(flow::Flow below) {
  flow::ThrottleOptions options;
  // Slow enough for waits, fast enough for the suite's megabytes.
  options.read.bytes_per_second = 50e6;
  options.write.bytes_per_second = 60e6;
  options.write.burst = 10'000;
  return flow::Throttle(std::move(below), options);
}

absl::StatusOr<flow::Flow> Forgetful(flow::Flow below) {
  static uint64_t seed = 1;
  seed += 2;
  return Amnesiac(std::move(below), seed);
}

INSTANTIATE_TEST_SUITE_P(
    Memory, FlowConformance,
    ::testing::Values(Memory("Memory", 65536), Memory("MemoryOfOneByte", 1),
                      Over(Memory("", 65536), "ThrottleOverMemory", Slow),
                      Over(Memory("", 65536), "AmnesiacOverMemory", Forgetful),
                      Over(Over(Memory("", 65536), "", Forgetful),
                           "ThrottleOverAmnesiac", Slow)),
    ConformanceName);

}  // namespace
}  // namespace flow_testing
