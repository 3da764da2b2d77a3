// The conformance suite over layers, by blocking calls (case 111).

#include <vector>

#include "flow/layers/layers_conformance_test_support.h"
#include "flow/testing/conformance.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

std::vector<ConformanceTarget> Targets() {
  std::vector<ConformanceTarget> targets = LayersOverMemory();
  for (const ConformanceTarget& target : SlowLayersOverMemory()) {
    targets.push_back(target);
  }
  targets.push_back(ManyLayersOverTcp());
  return targets;
}

INSTANTIATE_TEST_SUITE_P(Layers, FlowConformance,
                         ::testing::ValuesIn(Targets()), ConformanceName);

}  // namespace
}  // namespace flow_testing
