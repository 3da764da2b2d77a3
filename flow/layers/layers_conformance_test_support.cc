#include "flow/layers/layers_conformance_test_support.h"

#include <sys/socket.h>

#include <cctype>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/layers/layers_test_support.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/memory_pair.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

ConformanceTarget OverMemory(std::string name, PutOn put) {
  ConformanceTarget target;
  target.name = std::move(name);
  target.make =
      BothEnds([]() -> absl::StatusOr<FlowPair> { return MemoryPair(); },
               std::move(put));
  target.more_than_fits = kMemoryPairCapacity + 100'000;
  // Quantity is the memory pair's own suite's.
  target.bulk = 500'000;
  return target;
}

// The kernel grows a TCP buffer as it likes, and takes single bytes where more
// don't fit: a small one is soon full for both.
void KeepSmall(const flow::Flow& flow) {
  const int size = 32 << 10;
  for (const int buffer : {SO_SNDBUF, SO_RCVBUF}) {
    EXPECT_EQ(
        flow::Syscalls::Real()->Setsockopt(flow.native_handle(), SOL_SOCKET,
                                           buffer, &size, sizeof(size)),
        0);
  }
}

absl::StatusOr<FlowPair> Connect() {
  absl::StatusOr<flow::Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  if (!listener.ok()) return listener.status();
  absl::StatusOr<flow::Flow> client =
      flow::Dial(listener->address(), absl::Seconds(10));
  if (!client.ok()) return client.status();
  absl::StatusOr<flow::Flow> server = listener->Accept(absl::Seconds(10));
  if (!server.ok()) return server.status();
  KeepSmall(*client);
  KeepSmall(*server);
  return FlowPair(*std::move(client), *std::move(server));
}

absl::StatusOr<flow::Flow> Many(flow::Flow below) {
  for (const PutOn& put : {LayerNamed("prefix"), PutOn(Slow),
                           LayerNamed("logging"), LayerNamed("counting")}) {
    absl::StatusOr<flow::Flow> next = put(std::move(below));
    if (!next.ok()) return next;
    below = *std::move(next);
  }
  return below;
}

}  // namespace

std::vector<ConformanceTarget> LayersOverMemory() {
  std::vector<ConformanceTarget> targets;
  for (const TestedLayer& layer : AllLayers()) {
    if (layer.name == "throttle") continue;
    std::string name = layer.name;
    name[0] = static_cast<char>(std::toupper(name[0]));
    targets.push_back(OverMemory(name + "OverMemory", layer.put));
  }
  return targets;
}

std::vector<ConformanceTarget> SlowLayersOverMemory() {
  std::vector<ConformanceTarget> targets = {
      OverMemory("SlowTeeOverMemory", WithSlowSinks),
      OverMemory("CrumbsOverMemory", InCrumbs)};
  for (ConformanceTarget& target : targets) {
    // Bytes are held here, too.
    target.more_than_fits += 600'000;
  }
  // Bytes that wait for their time go with the flow.
  targets[1].data_survives_reset = false;
  return targets;
}

ConformanceTarget ManyLayersOverTcp() {
  ConformanceTarget target;
  target.name = "ManyOverTcp";
  target.make = BothEnds(Connect, Many);
  target.more_than_fits = size_t{4} << 20;
  target.bulk = 1'000'000;
  return target;
}

}  // namespace flow_testing
