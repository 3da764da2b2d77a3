// The contract, through a program: what is written to cat's stdin is read from
// its stdout.

#include <utility>

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/net/subprocess.h"
#include "flow/testing/conformance.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Flow;

ConformanceTarget ThroughCat() {
  ConformanceTarget target;
  target.name = "ThroughCat";
  target.make = []() -> absl::StatusOr<std::pair<Flow, Flow>> {
    absl::StatusOr<flow::Subprocess> cat = flow::Spawn({"cat"});
    if (!cat.ok()) return cat.status();
    // cat itself is left to the reaper.
    return std::make_pair(std::move(cat->stdin_flow()),
                          std::move(cat->stdout_flow()));
  };
  target.duplex = false;
  target.abort_is_visible = false;
  return target;
}

INSTANTIATE_TEST_SUITE_P(Processes, FlowConformance,
                         ::testing::Values(ThroughCat()), ConformanceName);

}  // namespace
}  // namespace flow_testing
