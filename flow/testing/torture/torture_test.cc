// Every system call of every scenario fails, in every way that its manual page
// names, once and from then on (P1, P2, P3, P5, P7; case 113): no hang, no
// leak, no wrong byte.
//
//   bazel run -c opt //flow/testing/torture:torture_test -- --full
//   bazel run //flow/testing/torture:torture_test -- --scenario=unix_echo
//       --call=recv --k=2 --error=104 --mode=once
//
// (on one line) replays the one run that a failure has named, and prints what
// was called and what was said.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/base/config.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/time/time.h"
#include "flow/testing/call_set.h"
#include "flow/testing/torture/scenarios.h"
#include "flow/testing/torture/torture_engine.h"
#include "flow/testing/torture/torture_syscalls.h"
#include "gtest/gtest.h"

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr int kDefaultStride = 11;
#else
constexpr int kDefaultStride = 3;
#endif
ABSL_FLAG(int, stride, kDefaultStride, "Makes every so manieth run only.");
ABSL_FLAG(bool, full, false, "Makes all runs (as --stride=1).");
ABSL_FLAG(absl::Duration, watchdog, absl::Seconds(20),
          "Real time after which a run is said to hang.");
ABSL_FLAG(std::string, scenario, "", "Replays one run of this scenario.");
ABSL_FLAG(std::string, call, "recv", "The call that fails,");
ABSL_FLAG(int, k, 1, "and which of them,");
ABSL_FLAG(int, error, 0, "with what,");
ABSL_FLAG(std::string, mode, "none",
          "and how often: none, once, forever, short, short-forever.");

namespace flow_testing {
namespace {

constexpr int64_t kBar = 20'000;

// Of all scenarios that this process has run.
struct Sum {
  int64_t scenarios = 0;
  int64_t runs = 0;
  int64_t struck = 0;
  int64_t strict = 0;
  absl::Duration longest;
};
Sum sum;

TortureOptions Options() {
  TortureOptions options;
  options.watchdog = absl::GetFlag(FLAGS_watchdog);
  options.stride = absl::GetFlag(FLAGS_full) ? 1 : absl::GetFlag(FLAGS_stride);
  return options;
}

TortureEngine& Engine() {
  static auto* const engine = new TortureEngine(Options());
  return *engine;
}

class Torture : public testing::TestWithParam<Scenario> {};

TEST_P(Torture, NoFailingCallHangsLeaksOrLosesAByte) {
  const TortureTally tally = Engine().Torture(GetParam());
  ++sum.scenarios;
  sum.runs += tally.runs;
  sum.struck += tally.struck;
  sum.strict += tally.strict;
  sum.longest = std::max(sum.longest, tally.longest);
  EXPECT_EQ(tally.failed, 0) << tally.first_failure;
  EXPECT_GT(tally.runs, 0);
}

std::string ScenarioName(const testing::TestParamInfo<Scenario>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, Torture, testing::ValuesIn(AllScenarios()),
                         ScenarioName);

TortureFault FaultOfFlags() {
  TortureFault fault;
  for (int i = 0; i < kCallCount; ++i) {
    const Call call = static_cast<Call>(i);
    if (CallName(call) == absl::GetFlag(FLAGS_call)) fault.call = call;
  }
  fault.k = absl::GetFlag(FLAGS_k);
  fault.error = absl::GetFlag(FLAGS_error);
  for (const FaultMode mode :
       {FaultMode::kNone, FaultMode::kOnce, FaultMode::kForever,
        FaultMode::kShort, FaultMode::kShortForever}) {
    if (FaultModeName(mode) == absl::GetFlag(FLAGS_mode)) fault.mode = mode;
  }
  return fault;
}

// 0: the run was in order.
int ReplayOne() {
  for (const Scenario& scenario : AllScenarios()) {
    if (scenario.name != absl::GetFlag(FLAGS_scenario)) continue;
    const TortureEngine::Outcome outcome =
        Engine().RunOnce(scenario, FaultOfFlags(), /*trace=*/true);
    std::printf("the fault has struck %d times\n%s\n", outcome.fired,
                outcome.failure.empty() ? "in order" : outcome.failure.c_str());
    return outcome.failure.empty() ? 0 : 1;
  }
  std::fprintf(stderr, "no such scenario\n");
  return 2;
}

// 0 if the bar was met, where all was run.
int Report() {
  std::printf(
      "torture: %lld scenarios, %lld runs (in %lld the fault struck, in %lld "
      "nobody was to notice), the longest took %s\n",
      static_cast<long long>(sum.scenarios), static_cast<long long>(sum.runs),
      static_cast<long long>(sum.struck), static_cast<long long>(sum.strict),
      absl::FormatDuration(sum.longest).c_str());
  const bool all = sum.scenarios == static_cast<int64_t>(AllScenarios().size());
  if (!all || Options().stride != 1 || sum.runs >= kBar) return 0;
  std::fprintf(stderr, "fewer than %lld runs\n", static_cast<long long>(kBar));
  return 1;
}

}  // namespace
}  // namespace flow_testing

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  if (!absl::GetFlag(FLAGS_scenario).empty()) return flow_testing::ReplayOne();
  const int result = RUN_ALL_TESTS();
  const int report = flow_testing::Report();
  return result != 0 ? result : report;
}
