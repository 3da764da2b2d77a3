// The conformance suite over TLS (case 111): on memory, also on a pair that
// holds less than a record, on TCP, on a throttle, on TLS itself, with TLS 1.2,
// and while keys change with every other record.

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/layers/throttle.h"
#include "flow/testing/conformance.h"
#include "flow/testing/memory_pair.h"
#include "flow/tls/tls_test_support.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using Pair = std::pair<flow::Flow, flow::Flow>;

// TLS on what `below` makes, which holds so many bytes.
ConformanceTarget Tls(std::string name,
                      const std::function<absl::StatusOr<Pair>()>& below,
                      size_t holds) {
  ConformanceTarget target;
  target.name = std::move(name);
  target.make = [below]() -> absl::StatusOr<Pair> {
    absl::StatusOr<Pair> pair = below();
    if (!pair.ok()) return pair.status();
    return UnderTls(*std::move(pair));
  };
  // And a batch of records at the writer's end, some at the reader's.
  target.more_than_fits = holds + 400'000;
  target.holds_back = true;
  return target;
}

absl::StatusOr<Pair> Memory() { return MemoryPair(); }

absl::StatusOr<Pair> Slow() {
  flow::ThrottleOptions options;
  options.read.bytes_per_second = options.write.bytes_per_second = 60e6;
  options.write.burst = 20'000;
  Pair pair = MemoryPair();
  absl::StatusOr<flow::Flow> first =
      flow::Throttle(std::move(pair.first), options);
  if (!first.ok()) return first.status();
  absl::StatusOr<flow::Flow> second =
      flow::Throttle(std::move(pair.second), options);
  if (!second.ok()) return second.status();
  return Pair(*std::move(first), *std::move(second));
}

// Less than a record: each comes and goes in pieces.
ConformanceTarget OverNarrowMemory() {
  ConformanceTarget target = Tls(
      "TlsOverNarrowMemory",
      []() -> absl::StatusOr<Pair> { return MemoryPair(997); }, 997);
  target.bulk = 300'000;
  return target;
}

ConformanceTarget Changed(ConformanceTarget target, std::string name,
                          flow::TlsVersion version, uint64_t rekey) {
  target.name = std::move(name);
  target.make = [version, rekey]() -> absl::StatusOr<Pair> {
    return UnderTls(MemoryPair(), version, rekey);
  };
  return target;
}

ConformanceTarget OverTcp() {
  return Tls("TlsOverTcp", TcpPair, size_t{4} << 20);
}
ConformanceTarget OverMemory() {
  return Tls("TlsOverMemory", Memory, kMemoryPairCapacity);
}

INSTANTIATE_TEST_SUITE_P(
    Tls, FlowConformance,
    ::testing::Values(
        OverMemory(), OverTcp(), OverNarrowMemory(),
        Tls("TlsOverThrottle", Slow, kMemoryPairCapacity),
        Tls(
            "TlsOverTls", [] { return UnderTls(MemoryPair()); },
            kMemoryPairCapacity + 400'000),
        Changed(OverMemory(), "Tls12OverMemory", flow::TlsVersion::kTls12, 0),
        Changed(OverMemory(), "TlsRekeying", flow::TlsVersion::kTls13, 2)),
    ConformanceName);

}  // namespace
}  // namespace flow_testing
