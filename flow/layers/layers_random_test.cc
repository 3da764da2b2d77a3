// Layers in any order, on both ends, with traffic both ways: P2 holds for the
// pile as for each.

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/flow.h"
#include "flow/layers/layers_test_support.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsOk;
using ::flow_testing::MemoryPair;
using ::flow_testing::TestedLayer;

constexpr size_t kBytes = 60'000;
constexpr absl::Duration kLong = absl::Seconds(50);

std::string Bytes(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(kBytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// `flow` under one to four layers.
Flow Pile(Flow flow, std::mt19937_64& random) {
  std::vector<TestedLayer> layers = flow_testing::AllLayers();
  layers.push_back({"slow", flow_testing::Slow});
  layers.push_back({"crumbs", flow_testing::InCrumbs});
  layers.push_back({"slow sinks", flow_testing::WithSlowSinks});
  for (uint64_t left = 1 + random() % 4; left > 0; --left) {
    absl::StatusOr<Flow> next =
        layers[random() % layers.size()].put(std::move(flow));
    EXPECT_THAT(next, IsOk());
    if (!next.ok()) return Flow();
    flow = *std::move(next);
  }
  return flow;
}

// Sends `bytes` in pieces, in ways of every kind, and ends.
void Send(Flow& flow, absl::string_view bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  while (!bytes.empty()) {
    const absl::string_view piece = bytes.substr(0, 1 + random() % 20'000);
    size_t sent = piece.size();
    switch (random() % 3) {
      case 0:
        ASSERT_THAT(flow.Write(piece, kLong), IsOk());
        break;
      case 1: {
        const absl::string_view parts[] = {piece.substr(0, sent / 3),
                                           piece.substr(sent / 3)};
        ASSERT_THAT(flow.Writev(parts, kLong), IsOk());
        break;
      }
      default: {
        const absl::StatusOr<size_t> some = flow.WriteSome(piece, kLong);
        ASSERT_THAT(some, IsOk());
        sent = *some;
      }
    }
    bytes.remove_prefix(sent);
  }
  ASSERT_THAT(flow.Shutdown(ShutdownMode::kWrite, kLong), IsOk());
}

// Receives until Eof, in pieces, some of them under a limit that may hit.
std::string Receive(Flow& flow, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string got;
  std::string into(30'000, '\0');
  for (;;) {
    const Limits limits = random() % 4 == 0 ? absl::Microseconds(100) : kLong;
    const auto n = flow.ReadInto(
        absl::MakeSpan(into).first(1 + random() % into.size()), limits);
    if (absl::IsDeadlineExceeded(n.status())) continue;
    EXPECT_THAT(n, IsOk());
    if (!n.ok() || n->is_eof()) return got;
    got.append(into, 0, n->data());
  }
}

TEST(LayersRandomTest, AnyPileKeepsBytesExactBothWays) {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    std::mt19937_64 random(seed);
    auto [below_a, below_b] = MemoryPair(1 + random() % 70'000);
    Flow a = Pile(std::move(below_a), random);
    Flow b = Pile(std::move(below_b), random);
    SCOPED_TRACE(
        absl::StrCat("seed ", seed, "\n", a.ToString(), "\n", b.ToString()));
    const std::string there = Bytes(seed);
    const std::string back = Bytes(~seed);
    std::string got_there;
    std::string got_back;
    std::thread sends_a([&a = a, &there, seed] { Send(a, there, seed); });
    std::thread sends_b([&b = b, &back, seed] { Send(b, back, seed + 1); });
    std::thread reads_b(
        [&b = b, &got_there, seed] { got_there = Receive(b, seed + 2); });
    got_back = Receive(a, seed + 3);
    sends_a.join();
    sends_b.join();
    reads_b.join();
    EXPECT_TRUE(got_there == there);
    EXPECT_TRUE(got_back == back);
    EXPECT_THAT(a.Close(), IsOk());
    EXPECT_THAT(b.Close(), IsOk());
  }
}

}  // namespace
}  // namespace flow
