// The conformance suite on streams that go through the kernel and through more
// of the library than an fd (case 111; the kinds of fd by themselves are in
// flow/fd/fd_conformance_test.cc): what Dial and Listen make, and layers over
// sockets, one of which forgets every ending.

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/layers/throttle.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/testing/amnesiac_transport.h"
#include "flow/testing/conformance.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using Pair = std::pair<flow::Flow, flow::Flow>;

// The client and the server end of a connection to `address`.
absl::StatusOr<Pair> Connect(absl::string_view address) {
  absl::StatusOr<flow::Listener> listener = flow::Listen(address);
  if (!listener.ok()) return listener.status();
  absl::StatusOr<flow::Flow> client =
      flow::Dial(listener->address(), absl::Seconds(10));
  if (!client.ok()) return client.status();
  absl::StatusOr<flow::Flow> server = listener->Accept(absl::Seconds(10));
  if (!server.ok()) return server.status();
  return Pair(*std::move(client), *std::move(server));
}

ConformanceTarget Tcp() {
  ConformanceTarget target;
  target.name = "Tcp";
  target.make = [] { return Connect("tcp:127.0.0.1:0"); };
  return target;
}

ConformanceTarget Unix() {
  ConformanceTarget target;
  target.name = "Unix";
  target.make = [] {
    static int count = 0;
    // In /tmp itself: the folder that Bazel gives tests is longer than the path
    // of a socket may be. The listener removes its path when it is closed.
    return Connect(
        absl::StrCat("unix:/tmp/flow-conformance-", getpid(), ".", ++count));
  };
  target.abort_is_visible = false;
  target.more_than_fits = size_t{4} << 20;
  return target;
}

ConformanceTarget SocketPair() {
  ConformanceTarget target;
  target.name = "SocketPair";
  target.make = [] { return flow::SocketPair(); };
  target.abort_is_visible = false;
  target.more_than_fits = size_t{4} << 20;
  return target;
}

// Both ends of the pairs of `below` in a layer.
using Layer = std::function<absl::StatusOr<flow::Flow>(flow::Flow)>;
ConformanceTarget Over(const ConformanceTarget& below, std::string name,
                       const Layer& layer) {
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

absl::StatusOr<flow::Flow> Forgetful(flow::Flow below) {
  static uint64_t seed = 1;
  seed += 2;
  return Amnesiac(std::move(below), seed);
}

absl::StatusOr<flow::Flow> Slow(flow::Flow below) {
  flow::ThrottleOptions options;
  options.read.bytes_per_second = 100e6;
  options.write.bytes_per_second = 100e6;
  return flow::Throttle(std::move(below), options);
}

INSTANTIATE_TEST_SUITE_P(
    Fd, FlowConformance,
    ::testing::Values(Tcp(), Unix(), Over(Tcp(), "AmnesiacOverTcp", Forgetful),
                      Over(SocketPair(), "AmnesiacOverSocketPair", Forgetful),
                      Over(Tcp(), "ThrottleOverTcp", Slow)),
    ConformanceName);

}  // namespace
}  // namespace flow_testing
