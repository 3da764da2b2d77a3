// What relays.md shows.

#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

using flow_testing::IsOk;

// Sends all of the question, then says so, and reads to the answer's end.
absl::StatusOr<std::string> Ask(flow::Flow& f, const std::string& question,
                                const flow::Limits& limits) {
  if (absl::Status s = f.Write(question, limits); !s.ok()) return s;
  absl::Status ended = f.Shutdown(flow::ShutdownMode::kWrite, limits);
  if (!ended.ok()) return ended;
  std::string answer;
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read(limits);
    if (!got.ok()) return got.status();
    if (got->is_eof()) return answer;
    answer += got->data().ToString();
  }
}

absl::Status Forward(flow::Flow client, flow::Flow server) {
  flow::RelayOptions options;
  options.limits.stall_timeout = absl::Minutes(10);  // idle, both ways
  options.half_close_limit = absl::Minutes(1);       // after one has ended
  const flow::RelayResult result = flow::Relay(client, server, options);
  return result.status();
}

TEST(RelaysGuide, AHalfCloseGoesThrough) {
  auto [client, front] = flow_testing::MemoryPair();
  auto [back, server] = flow_testing::MemoryPair();
  std::thread relay([&f = front, &b = back] {
    EXPECT_THAT(Forward(std::move(f), std::move(b)), IsOk());
  });
  std::thread answering([&s = server] {
    std::string question;
    for (;;) {
      auto got = s.Read();
      if (!got.ok() || got->is_eof()) break;
      question += got->data().ToString();
    }
    EXPECT_THAT(s.Write(question + "? Yes."), IsOk());
    EXPECT_THAT(s.Shutdown(flow::ShutdownMode::kWrite), IsOk());
  });
  const auto answer = Ask(client, "well", absl::Seconds(30));
  relay.join();
  answering.join();
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(*answer, "well? Yes.");
}

}  // namespace
