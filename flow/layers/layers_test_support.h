// File: layers_test_support.h
//
// All layers, each as it can be put on any flow without being noticed; for
// tests of what they have in common.

#ifndef FLOW_LAYERS_LAYERS_TEST_SUPPORT_H_
#define FLOW_LAYERS_LAYERS_TEST_SUPPORT_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/transport.h"

namespace flow_testing {

using FlowPair = std::pair<flow::Flow, flow::Flow>;
using PutOn = std::function<absl::StatusOr<flow::Flow>(flow::Flow)>;

struct TestedLayer {
  // As in messages.
  std::string name;
  PutOn put;
};
std::ostream& operator<<(std::ostream& os, const TestedLayer& layer);

// One of each, none of which changes the traffic.
std::vector<TestedLayer> AllLayers();

// That of a name in AllLayers().
PutOn LayerNamed(const std::string& name);

// A throttle that makes calls wait now and then; faults that only delay, and
// cut steps short; a tee whose sinks are slow.
absl::StatusOr<flow::Flow> Slow(flow::Flow below);
absl::StatusOr<flow::Flow> InCrumbs(flow::Flow below);
absl::StatusOr<flow::Flow> WithSlowSinks(flow::Flow below);

// Takes everything, at most `at_most` bytes at once, and then, if that is not
// 0, nothing for one try; gives nothing.
std::unique_ptr<flow::Transport> BlackHole(size_t at_most = 0);

// Both ends of what `below` makes, with a layer on each.
std::function<absl::StatusOr<FlowPair>()> BothEnds(
    std::function<absl::StatusOr<FlowPair>()> below, PutOn put);

}  // namespace flow_testing

#endif  // FLOW_LAYERS_LAYERS_TEST_SUPPORT_H_
