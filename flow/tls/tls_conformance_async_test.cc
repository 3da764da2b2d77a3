// The conformance suite over TLS through futures and callbacks (case 111).

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/testing/conformance.h"
#include "flow/testing/futures_driver.h"
#include "flow/testing/memory_pair.h"
#include "flow/tls/tls_test_support.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using Pair = std::pair<flow::Flow, flow::Flow>;

ConformanceTarget OverMemory() {
  ConformanceTarget target;
  target.name = "TlsOverMemory";
  target.make = [] { return UnderTls(MemoryPair()); };
  target.more_than_fits = kMemoryPairCapacity + 400'000;
  target.holds_back = true;
  return target;
}

ConformanceTarget OverTcp() {
  ConformanceTarget target;
  target.name = "TlsOverTcp";
  target.make = []() -> absl::StatusOr<Pair> {
    absl::StatusOr<Pair> pair = TcpPair();
    if (!pair.ok()) return pair.status();
    return UnderTls(*std::move(pair));
  };
  target.more_than_fits = (size_t{4} << 20) + 400'000;
  target.holds_back = true;
  return target;
}

std::vector<ConformanceTarget> Targets() {
  std::vector<ConformanceTarget> targets;
  for (const ConformanceTarget& target : {OverMemory(), OverTcp()}) {
    targets.push_back(ThroughFutures(target, 1));
    targets.push_back(ThroughCallbacks(target, 4));
    targets.push_back(ThroughCallbacks(target, 0));
  }
  return targets;
}

INSTANTIATE_TEST_SUITE_P(TlsAsync, FlowConformance,
                         ::testing::ValuesIn(Targets()), ConformanceName);

}  // namespace
}  // namespace flow_testing
