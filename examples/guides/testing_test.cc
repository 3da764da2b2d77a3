// What testing.md shows: tests of a function that uses a flow.

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/buffered/reader.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/testing/fault_syscalls.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

using flow_testing::IsKind;
using flow_testing::IsOk;
using flow_testing::IsOkAndHolds;

// Yours: the number in the first line.
absl::StatusOr<int> ReadNumber(flow::Flow f, const flow::Limits& limits) {
  flow::Reader in(std::move(f));
  absl::StatusOr<flow::OrEof<flow::Line>> line = in.ReadLine(limits);
  if (!line.ok()) return line.status();
  if (line->is_eof()) return absl::DataLossError("no number came");
  return std::stoi(std::string(line->data().text));
}

TEST(TestingGuide, MemoryPairStandsInForAConnection) {
  auto [mine, peer] = flow_testing::MemoryPair();
  ASSERT_THAT(peer.Write("42\n"), IsOk());
  EXPECT_THAT(ReadNumber(std::move(mine), {}), IsOkAndHolds(42));
}

TEST(TestingGuide, SimulatedTimeTakesNoTime) {
  flow_testing::SimSyscalls sim;
  sim.AutoAdvance(1);  // as soon as one thread sleeps, time jumps
  flow_testing::MemoryPairOptions options;
  options.sys = &sim;
  auto [mine, peer] = flow_testing::MemoryPair(16, options);
  EXPECT_THAT(ReadNumber(std::move(mine), sim.In(absl::Hours(1))),
              IsKind(flow::ErrorKind::kDeadline));
  EXPECT_EQ(sim.elapsed(), absl::Hours(1));
}

TEST(TestingGuide, TheKernelOnABadDay) {
  flow_testing::FaultOptions bad;
  bad.seed = flow_testing::SeedOr(7);
  bad.max_transfer = 1;   // a byte at a time
  bad.interrupted = 0.3;  // and EINTR in between
  flow_testing::FaultSyscalls sys(bad);
  SCOPED_TRACE(sys.ToString());  // a failure says how to have it again
  flow::FdOptions options;
  options.sys = &sys;
  auto ends = flow::SocketPair(options);
  ASSERT_THAT(ends, IsOk());
  ASSERT_THAT(ends->second.Write("123456\n"), IsOk());
  EXPECT_THAT(ReadNumber(std::move(ends->first), {}), IsOkAndHolds(123456));
}

}  // namespace
