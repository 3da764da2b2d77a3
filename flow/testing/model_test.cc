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
#include <array>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "flow/testing/call_set.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/fault_syscalls.h"
#include "flow/testing/model_draw.h"
#include "flow/testing/model_pair.h"
#include "flow/testing/model_streams.h"
#include "flow/testing/sim_syscalls.h"
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

constexpr size_t kTooMuchInMemory = 400;

class RandomRun {
 public:
  // `streams`: of what kinds the pairs are; none: the memory pair, whose
  // capacity is then small enough to be filled.
  explicit RandomRun(uint64_t seed, std::vector<Stream> streams = {})
      : streams_(std::move(streams)),
        draw_(seed, streams_.empty() ? kTooMuchInMemory : kModelTooMuch),
        not_yet_(NotYet(seed), &clock_),
        faulty_(Faults(seed), &not_yet_) {
    sim_.AutoAdvance(1);
  }

  // Until `ops` calls have been compared. False: a divergence, which is told.
  bool Go(uint64_t ops);

  uint64_t digest() const { return digest_; }
  int64_t faults() const { return faulty_.faults() + not_yet_.faults(); }
  // Resets that a call has met.
  uint64_t resets() const { return resets_; }
  // How often each call was made in each state that was reached.
  using Reached =
      std::array<std::array<uint64_t, kModelOps>, StreamModel::kStates>;
  const Reached& reached() const { return reached_; }

 private:
  static FaultOptions NotYet(uint64_t seed);
  static FaultOptions Faults(uint64_t seed);
  ModelPair Begin();
  bool Compare(ModelPair& pair, const ModelAsk& ask);

  const std::vector<Stream> streams_;
  ModelDraw draw_;
  SimSyscalls sim_;  // of the memory pair
  LoneClock clock_;  // of the others, and what fails on it
  FaultSyscalls not_yet_;
  FaultSyscalls faulty_;
  Stream stream_ = Stream::kMemory;          // of this pair
  uint64_t digest_ = 14695981039346656037u;  // FNV-1a
  uint64_t compared_ = 0;
  uint64_t resets_ = 0;
  Reached reached_ = {};
  std::vector<std::string> trace_;  // of this pair
};

// What no caller may ever notice. (Writes only: after a reset, a reader who is
// told "not yet" has rightly read all that there was.)
FaultOptions RandomRun::NotYet(uint64_t seed) {
  FaultOptions options;
  options.seed = seed;
  options.not_yet = 0.1;
  options.calls = {Call::kSend, Call::kSendmsg, Call::kWrite, Call::kWritev};
  options.trace_capacity = 1;
  return options;
}

FaultOptions RandomRun::Faults(uint64_t seed) {
  FaultOptions options;
  options.seed = seed;
  options.max_transfer = 7;
  options.cut = 0.2;
  options.interrupted = 0.05;
  options.trace_capacity = 1;
  return options;
}

ModelPair RandomRun::Begin() {
  if (streams_.empty()) {
    const size_t capacities[] = {1, 2, 7, 64, 300};
    return ModelPair(capacities[draw_.Below(5)], &sim_);
  }
  stream_ = streams_[draw_.Below(streams_.size())];
  return ModelPair(kModelCapacity, MakeEnds(stream_, &faulty_));
}

bool RandomRun::Compare(ModelPair& pair, const ModelAsk& ask) {
  if (!streams_.empty() && WhyApart(stream_, pair.model(), ask) != nullptr) {
    return true;
  }
  const ModelStep step = pair.Do(ask);
  if (!step.asked) return true;
  ++compared_;
  ++reached_[step.state][static_cast<int>(ask.op)];
  if (step.real.kind == ModelAnswer::Kind::kReset) ++resets_;
  trace_.push_back(step.ToString());
  for (const char c : trace_.back()) {
    digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  if (step.agrees()) return true;
  std::cerr << "diverged, " << StreamName(stream_) << ", in the state \""
            << StreamModel::StateName(step.state) << "\": the model says "
            << step.modelled << "\n";
  for (const std::string& line : trace_) std::cerr << "  " << line << "\n";
  return false;
}

bool RandomRun::Go(uint64_t ops) {
  while (compared_ < ops) {
    ModelPair pair = Begin();
    trace_.clear();
    for (const ModelAsk& ask : draw_.Life()) {
      if (!Compare(pair, ask)) return false;
      if (compared_ == ops) break;
      if (pair.model().over() && draw_.Below(4) == 0) break;
    }
  }
  return true;
}

uint64_t Seed() {
  return absl::GetFlag(FLAGS_seed) != 0 ? absl::GetFlag(FLAGS_seed) : SeedOr(1);
}

uint64_t Ops(uint64_t otherwise) {
  return absl::GetFlag(FLAGS_ops) != 0 ? absl::GetFlag(FLAGS_ops) : otherwise;
}

// Prints what was reached, and gives how often the rarest pair was, but for
// those that never can be (`some_never`: the table of what streams can't tell).
uint64_t Tell(const RandomRun& run, uint64_t ops, bool some_never) {
  uint64_t least = UINT64_MAX;
  std::string where;
  int pairs = 0;
  int never = 0;
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
      if (some_never && counts[op] == 0) ++never;
      if (counts[op] >= least || (some_never && counts[op] == 0)) continue;
      least = counts[op];
      where = name;
    }
  }
  std::cout << ops << " calls, 0 divergences, seed " << Seed() << ", digest "
            << absl::StrCat(absl::Hex(run.digest())) << "; " << pairs
            << " pairs of call and state, " << never << " never, the rarest "
            << least << " times (" << where << ")";
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
  const uint64_t least = Tell(run, ops, /*some_never=*/false);
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
  RandomRun run(Seed(), streams);
  ASSERT_TRUE(run.Go(ops)) << "--seed=" << Seed();
  Tell(run, ops, /*some_never=*/true);
  std::cout << "; " << run.faults() << " faults, " << run.resets()
            << " resets told" << std::endl;
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
