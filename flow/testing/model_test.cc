// A pair of flows against the reference model, call by call, for millions of
// random calls: in memory, and on real sockets whose system calls are
// interrupted, come up short and say "not yet" for no reason.
//
//   bazel run -c opt //flow/testing:model_test -- --ops=10000000 --seed=7 --bar
//       --transports=mem
//   bazel run -c opt //flow/testing:model_test -- --ops=3000000 --seed=7 --bar
//       --transports=socketpair,tcp
//
// (each on one line; --bar prints how often each call was made in each state.)
// The same seed makes the same calls, and the digest of calls and answers that
// is printed at the end is then the same.

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "absl/base/config.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/model_guide.h"
#include "flow/testing/model_pair.h"
#include "flow/testing/model_run.h"
#include "flow/testing/model_streams.h"
#include "flow/testing/stream_model.h"
#include "gtest/gtest.h"

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr uint64_t kDefaultOps = 60'000;
#else
constexpr uint64_t kDefaultOps = 300'000;
#endif
ABSL_FLAG(uint64_t, ops, 0, "How many calls; 0: few, and fewer on sockets.");
ABSL_FLAG(std::vector<std::string>, transports,
          (std::vector<std::string>{"mem", "socketpair", "tcp"}),
          "On what: mem, socketpair, tcp, pipes.");
ABSL_FLAG(bool, bar, false, "Prints the hits of each pair of call and state.");
ABSL_FLAG(uint64_t, seed, 0, "Which ones; 0: FLOW_TEST_SEED, else 1.");

namespace flow_testing {
namespace {

uint64_t Seed() {
  return absl::GetFlag(FLAGS_seed) != 0 ? absl::GetFlag(FLAGS_seed) : SeedOr(1);
}

uint64_t Ops(uint64_t otherwise) {
  return absl::GetFlag(FLAGS_ops) != 0 ? absl::GetFlag(FLAGS_ops) : otherwise;
}

// What each run prints.
void Tell(const RandomRun& run, uint64_t ops) {
  std::cout << ops << " calls, 0 divergences, seed " << Seed() << ", digest "
            << absl::StrCat(absl::Hex(run.digest())) << "; ";
}

// Prints what was reached, and gives how often the rarest pair was.
uint64_t TellPairs(const RandomRun& run, uint64_t ops) {
  uint64_t least = UINT64_MAX;
  std::string where;
  int pairs = 0;
  for (int state = 0; state < StreamModel::kStates; ++state) {
    const auto& counts = run.reached()[state];
    if (*std::max_element(counts.begin(), counts.end()) == 0) continue;
    for (int op = 0; op < kModelOps; ++op, ++pairs) {
      const std::string name =
          absl::StrCat(ModelOpName(static_cast<ModelOp>(op)), " in ",
                       StreamModel::StateName(state));
      if (absl::GetFlag(FLAGS_bar)) {
        std::cout << name << ": " << counts[op] << " times\n";
      }
      if (counts[op] >= least) continue;
      least = counts[op];
      where = name;
    }
  }
  Tell(run, ops);
  std::cout << pairs << " pairs of call and state, the rarest " << least
            << " times (" << where << ")";
  return least;
}

bool Wanted(absl::string_view transport) {
  const std::vector<std::string> all = absl::GetFlag(FLAGS_transports);
  return std::find(all.begin(), all.end(), transport) != all.end();
}

// P1, P2, P3, and each cell of the table.
TEST(Model, RandomCallsAnswerAsTheReferenceDoes) {
  if (!Wanted("mem")) GTEST_SKIP();
  const uint64_t ops = Ops(kDefaultOps);
  RandomRun run(Seed());
  ASSERT_TRUE(run.Go(ops)) << "--seed=" << Seed();
  const uint64_t least = TellPairs(run, ops);
  std::cout << std::endl;
  // Of 10 million calls each pair gets a thousand; chance needs some room.
  EXPECT_GE(least, ops < 10'000'000 ? ops / 20'000 : 1'000);
}

// P1, P2, P3, P7: nobody notices what the kernel does on a bad day, and a reset
// is told as one.
TEST(Model, RandomCallsOnSocketsAnswerAsTheReferenceDoesWhateverIsInterrupted) {
  std::vector<Stream> streams;
  for (const Stream stream :
       {Stream::kSocketpair, Stream::kTcp, Stream::kPipes}) {
    if (Wanted(StreamName(stream))) streams.push_back(stream);
  }
  if (streams.empty()) GTEST_SKIP();
  const uint64_t ops = Ops(kDefaultOps / 12);
  // The memory pair, which can be in each state, shows the ways there.
  ModelGuide guide(ops / 3'000);
  RandomRun scout(Seed(), {Stream::kMemory});
  scout.set_guide(&guide);
  ASSERT_TRUE(scout.Go(std::min(ops, uint64_t{60'000}))) << "--seed=" << Seed();
  guide.ForgetCounts();
  RandomRun run(Seed(), streams);
  run.set_guide(&guide);
  ASSERT_TRUE(run.Go(ops)) << "--seed=" << Seed();
  if (absl::GetFlag(FLAGS_bar)) guide.Print(std::cout);
  const ModelGuide::Sum sum = guide.sum();
  Tell(run, ops);
  std::cout << sum.possible << " pairs of call and state, the rarest "
            << sum.rarest << " times, " << sum.refused
            << " always refused by the table of differences; " << run.faults()
            << " faults, " << run.resets() << " resets told" << std::endl;
  // Of 3 million calls each pair that can be gets a thousand, and what never
  // can be is what the table says.
  EXPECT_GE(sum.rarest, ops < 3'000'000 ? ops / 6'000 : 1'000);
  if (ops >= 3'000'000) {
    EXPECT_LE(sum.refused, 44);
  }
  EXPECT_GE(static_cast<uint64_t>(run.faults()) * 20, ops);
  EXPECT_GE(run.resets() * 100, ops);
}

// "seed printed and replayable to the same trace".
TEST(Model, TheSameSeedMakesTheSameTrace) {
  RandomRun first(Seed() + 1);
  RandomRun again(Seed() + 1);
  RandomRun other(Seed() + 2);
  ASSERT_TRUE(first.Go(2'000) && again.Go(2'000) && other.Go(2'000));
  EXPECT_EQ(first.digest(), again.digest());
  EXPECT_NE(first.digest(), other.digest());
}

}  // namespace
}  // namespace flow_testing

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
