// What a relay holds, counted at the allocator.

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"
#include "flow/relay/relay_rig_test.h"
#include "gtest/gtest.h"

namespace {

std::atomic<int64_t> live_bytes{0};

}  // namespace

void* operator new(size_t size) {
  void* const block = std::malloc(size);
  if (block == nullptr) std::abort();
  live_bytes += static_cast<int64_t>(malloc_usable_size(block));
  return block;
}
void operator delete(void* block) noexcept {
  live_bytes -= static_cast<int64_t>(malloc_usable_size(block));
  std::free(block);
}
void operator delete(void* block, size_t) noexcept { operator delete(block); }

namespace flow {
namespace {

using ::flow_testing::PairKind;
using ::flow_testing::Pattern;
using ::flow_testing::Pause;
using ::flow_testing::RelayRig;

std::vector<PairKind> Kinds() {
  std::vector<PairKind> kinds = flow_testing::TcpRelays();
  const PairKind buffered = flow_testing::TcpKind().By(CopyMethod::kBuffered);
  kinds.push_back(buffered);
  kinds.push_back(buffered.WithFutures());
  return kinds;
}

class RelayMemoryTest : public testing::TestWithParam<PairKind> {};
INSTANTIATE_TEST_SUITE_P(Over, RelayMemoryTest, testing::ValuesIn(Kinds()),
                         [](const auto& kind) { return kind.param.name; });

// Bounded and small whatever the peers do: here both send as much as they can,
// and neither reads.
TEST_P(RelayMemoryTest, WhatAStalledRelayHoldsIsItsTwoBuffers) {
  constexpr int kRelays = 8;
  const std::string bytes = Pattern(64 << 20);
  const int64_t before = live_bytes;
  std::vector<std::unique_ptr<RelayRig>> rigs;
  std::vector<std::thread> writers;
  for (int i = 0; i < kRelays; ++i) {
    RelayRig& rig = *rigs.emplace_back(std::make_unique<RelayRig>(GetParam()));
    for (Flow* f : {&rig.client, &rig.server}) {
      writers.emplace_back([f, &bytes] { f->Write(bytes).IgnoreError(); });
    }
  }
  // Until nothing moves any more.
  uint64_t moved = 0;
  for (uint64_t last = 1; moved != last;) {
    Pause(absl::Milliseconds(200));
    last = moved;
    moved = 0;
    for (const auto& rig : rigs) {
      moved += rig->client.GetStats().bytes_written;
      moved += rig->server.GetStats().bytes_written;
    }
  }
  EXPECT_GT(moved, 0);
  constexpr int64_t kBuffer = 64 << 10;  // RelayOptions::buffer_size
  const int64_t each = (live_bytes - before) / kRelays;
  RecordProperty("bytes_each", std::to_string(each));
  std::printf("%lld bytes for each relay\n", static_cast<long long>(each));
  EXPECT_LE(each, 2 * kBuffer + (32 << 10));
  for (const auto& rig : rigs) {
    rig->client.Abort().IgnoreError();
    rig->server.Abort().IgnoreError();
  }
  for (std::thread& writer : writers) writer.join();
}

}  // namespace
}  // namespace flow
