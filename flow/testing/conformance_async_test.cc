// The conformance suite through the futures driver (case 111): the same cases
// as through blocking calls, by futures and by callbacks, on every kind of
// executor, over what waits for the kernel, for another thread, for a time, and
// over what forgets every ending.

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/layers/throttle.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/amnesiac_transport.h"
#include "flow/testing/conformance.h"
#include "flow/testing/futures_driver.h"
#include "flow/testing/memory_pair.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using Pair = std::pair<flow::Flow, flow::Flow>;
using Layer = std::function<absl::StatusOr<flow::Flow>(flow::Flow)>;

ConformanceTarget Memory() {
  ConformanceTarget target;
  target.name = "Memory";
  target.make = [] { return MemoryPair(); };
  target.more_than_fits = kMemoryPairCapacity + 100'000;
  return target;
}

ConformanceTarget Sockets() {
  ConformanceTarget target;
  target.name = "SocketPair";
  target.make = [] { return flow::SocketPair(); };
  target.abort_is_visible = false;
  target.more_than_fits = size_t{4} << 20;
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

absl::StatusOr<Pair> Connect() {
  absl::StatusOr<flow::Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  if (!listener.ok()) return listener.status();
  absl::StatusOr<flow::Flow> client =
      flow::Dial(listener->address(), absl::Seconds(10));
  if (!client.ok()) return client.status();
  absl::StatusOr<flow::Flow> server = listener->Accept(absl::Seconds(10));
  if (!server.ok()) return server.status();
  KeepSmall(*client);
  KeepSmall(*server);
  return Pair(*std::move(client), *std::move(server));
}

ConformanceTarget Tcp() {
  ConformanceTarget target;
  target.name = "Tcp";
  target.make = Connect;
  target.more_than_fits = size_t{4} << 20;
  return target;
}

ConformanceTarget OnePipe() {
  ConformanceTarget target;
  target.name = "Pipe";
  target.make = []() -> absl::StatusOr<Pair> {
    absl::StatusOr<Pair> pipe = flow::Pipe();
    if (!pipe.ok()) return pipe.status();
    return Pair(std::move(pipe->second), std::move(pipe->first));
  };
  target.duplex = false;
  target.abort_is_visible = false;
  target.more_than_fits = size_t{4} << 20;
  return target;
}

// `layer` on both ends of memory.
ConformanceTarget OverMemory(const char* name, const Layer& layer) {
  ConformanceTarget target = Memory();
  target.name = name;
  target.make = [layer]() -> absl::StatusOr<Pair> {
    Pair pair = MemoryPair();
    absl::StatusOr<flow::Flow> first = layer(std::move(pair.first));
    if (!first.ok()) return first.status();
    absl::StatusOr<flow::Flow> second = layer(std::move(pair.second));
    if (!second.ok()) return second.status();
    return Pair(*std::move(first), *std::move(second));
  };
  return target;
}

absl::StatusOr<flow::Flow> Slow(flow::Flow below) {
  flow::ThrottleOptions options;
  options.read.bytes_per_second = options.write.bytes_per_second = 3e8;
  options.write.burst = 10'000;
  return flow::Throttle(std::move(below), options);
}

absl::StatusOr<flow::Flow> Forgetful(flow::Flow below) {
  static uint64_t seed = 1;
  seed += 2;
  return Amnesiac(std::move(below), seed);
}

std::vector<ConformanceTarget> Targets() {
  std::vector<ConformanceTarget> targets;
  for (const ConformanceTarget& target :
       {Memory(), Sockets(), Tcp(), OnePipe(),
        OverMemory("ThrottleOverMemory", Slow),
        OverMemory("AmnesiacOverMemory", Forgetful)}) {
    targets.push_back(ThroughFutures(target, 1));
    targets.push_back(ThroughCallbacks(target, 4));
    targets.push_back(ThroughCallbacks(target, 0));
  }
  return targets;
}

INSTANTIATE_TEST_SUITE_P(Async, FlowConformance, ::testing::ValuesIn(Targets()),
                         ConformanceName);

}  // namespace
}  // namespace flow_testing
