// The conformance suite over layers, through futures and callbacks (case 111).

#include <vector>

#include "flow/layers/layers_conformance_test_support.h"
#include "flow/testing/conformance.h"
#include "flow/testing/futures_driver.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

std::vector<ConformanceTarget> Targets() {
  std::vector<ConformanceTarget> targets;
  for (const ConformanceTarget& target : LayersOverMemory()) {
    targets.push_back(ThroughCallbacks(target, 0));
  }
  for (const ConformanceTarget& target : SlowLayersOverMemory()) {
    targets.push_back(ThroughFutures(target, 1));
  }
  targets.push_back(ThroughFutures(ManyLayersOverTcp(), 1));
  return targets;
}

INSTANTIATE_TEST_SUITE_P(Async, FlowConformance, ::testing::ValuesIn(Targets()),
                         ConformanceName);

}  // namespace
}  // namespace flow_testing
