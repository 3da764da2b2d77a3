// A pair of flows against the reference model, call by call, for millions of
// random calls.
//
//   bazel run -c opt //flow/testing:model_test -- --ops=10000000 --seed=7
//
// The same seed makes the same calls, and the digest of calls and answers that
// is printed at the end is then the same.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "absl/base/config.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/model_draw.h"
#include "flow/testing/model_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/testing/stream_model.h"
#include "gtest/gtest.h"

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr uint64_t kDefaultOps = 60'000;
#else
constexpr uint64_t kDefaultOps = 300'000;
#endif
ABSL_FLAG(uint64_t, ops, kDefaultOps, "How many calls.");
ABSL_FLAG(uint64_t, seed, 0, "Which ones; 0: FLOW_TEST_SEED, else 1.");

namespace flow_testing {
namespace {

class RandomRun {
 public:
  explicit RandomRun(uint64_t seed) : draw_(seed, /*too_much=*/400) {
    sim_.AutoAdvance(1);
  }

  // Until `ops` calls have been compared. False: a divergence, which is told.
  bool Go(uint64_t ops);

  uint64_t digest() const { return digest_; }
  // How often each call was made in each state that was reached.
  using Reached =
      std::array<std::array<uint64_t, kModelOps>, StreamModel::kStates>;
  const Reached& reached() const { return reached_; }

 private:
  bool Compare(ModelPair& pair, const ModelAsk& ask);

  ModelDraw draw_;
  SimSyscalls sim_;
  uint64_t digest_ = 14695981039346656037u;  // FNV-1a
  Reached reached_ = {};
  std::vector<std::string> trace_;  // of this pair
};

bool RandomRun::Compare(ModelPair& pair, const ModelAsk& ask) {
  const ModelStep step = pair.Do(ask);
  if (!step.asked) return true;
  ++reached_[step.state][static_cast<int>(ask.op)];
  trace_.push_back(step.ToString());
  for (const char c : trace_.back()) {
    digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  if (step.agrees()) return true;
  std::cerr << "diverged, in the state \"" << StreamModel::StateName(step.state)
            << "\": the model says " << step.modelled << "\n";
  for (const std::string& line : trace_) std::cerr << "  " << line << "\n";
  return false;
}

bool RandomRun::Go(uint64_t ops) {
  const size_t capacities[] = {1, 2, 7, 64, 300};
  while (ops > 0) {
    ModelPair pair(capacities[draw_.Below(5)], &sim_);
    trace_.clear();
    const std::vector<ModelAsk> asks = draw_.Life();
    for (size_t i = 0; i < asks.size() && ops > 0; ++i, --ops) {
      if (!Compare(pair, asks[i])) return false;
      if (pair.model().over() && draw_.Below(4) == 0) break;
    }
  }
  return true;
}

uint64_t Seed() {
  return absl::GetFlag(FLAGS_seed) != 0 ? absl::GetFlag(FLAGS_seed) : SeedOr(1);
}

// P1, P2, P3, and each cell of the table.
TEST(Model, RandomCallsAnswerAsTheReferenceDoes) {
  const uint64_t ops = absl::GetFlag(FLAGS_ops);
  RandomRun run(Seed());
  ASSERT_TRUE(run.Go(ops)) << "--seed=" << Seed();
  uint64_t least = UINT64_MAX;
  std::string where;
  int pairs = 0;
  for (int state = 0; state < StreamModel::kStates; ++state) {
    const auto& counts = run.reached()[state];
    if (*std::max_element(counts.begin(), counts.end()) == 0) continue;
    for (int op = 0; op < kModelOps; ++op, ++pairs) {
      if (counts[op] >= least) continue;
      least = counts[op];
      where = absl::StrCat(ModelOpName(static_cast<ModelOp>(op)), " in ",
                           StreamModel::StateName(state));
    }
  }
  std::cout << ops << " calls, 0 divergences, seed " << Seed() << ", digest "
            << absl::StrCat(absl::Hex(run.digest())) << "; " << pairs
            << " pairs of call and state, the rarest " << least << " times ("
            << where << ")" << std::endl;
  // Of 10 million calls each pair gets a thousand; chance needs some room.
  EXPECT_GE(least, ops < 10'000'000 ? ops / 20'000 : 1'000);
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
