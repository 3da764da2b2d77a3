// The same calls on four kinds of streams, in memory, over a unix socketpair,
// over TCP and over two pipes: each call answers the same on all of them, by
// status, kind, count, bytes and statistics.
//
//   bazel run -c opt //flow/testing:differential_test -- --ops=100000 --seed=7
//
// What by their nature is not the same stands in a table (model_streams.cc): a
// stream that such a call comes to leaves, and the others go on. Read and
// ReadInto may give a part, so what was there is asked for until
// all of it has come; how much fits before a Write is cut is each stream's own.
//
// The same seed makes the same calls, and the digest at the end is the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/config.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "flow/stats.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/model_draw.h"
#include "flow/testing/model_pair.h"
#include "flow/testing/model_streams.h"
#include "flow/testing/stream_model.h"
#include "gtest/gtest.h"

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr uint64_t kDefaultOps = 6'000;
#else
constexpr uint64_t kDefaultOps = 20'000;
#endif
ABSL_FLAG(uint64_t, ops, kDefaultOps, "How many calls.");
ABSL_FLAG(uint64_t, seed, 0, "Which ones; 0: FLOW_TEST_SEED, else 1.");

namespace flow_testing {
namespace {

// One pair, as long as it is compared.
struct Lane {
  Stream stream = Stream::kMemory;
  LoneClock clock;
  std::unique_ptr<ModelPair> pair;  // null: it has left
  uint64_t extra_reads[2] = {0, 0};
};

class Differential {
 public:
  explicit Differential(uint64_t seed) : draw_(seed, kModelTooMuch) {
    for (int i = 0; i < kStreams; ++i) {
      lanes_[i].stream = static_cast<Stream>(i);
    }
  }

  // Until `ops` calls have been compared. False: two streams differ, which is
  // told.
  bool Go(uint64_t ops);

  uint64_t digest() const { return digest_; }
  // Calls compared with the memory pair's.
  uint64_t compared(Stream stream) const {
    return compared_[static_cast<int>(stream)];
  }
  // How often each entry of the table was come to.
  const std::map<std::string, uint64_t>& apart() const { return apart_; }

 private:
  void Begin();
  bool Part(const ModelAsk& ask);
  bool Compare(const ModelAsk& ask);
  std::string Ask(Lane& lane, const ModelAsk& ask);
  bool Differ(const Lane& lane, const std::string& in_memory,
              const std::string& here) const;

  ModelDraw draw_;
  Lane lanes_[kStreams];
  bool filled_[2] = {false, false};  // by end, what it wrote
  uint64_t compared_[kStreams] = {};
  std::map<std::string, uint64_t> apart_;
  uint64_t digest_ = 14695981039346656037u;  // FNV-1a
  std::vector<std::string> trace_;           // of these pairs
};

void Differential::Begin() {
  for (Lane& lane : lanes_) {
    lane.pair = std::make_unique<ModelPair>(kModelCapacity,
                                            MakeEnds(lane.stream, &lane.clock));
    lane.extra_reads[0] = lane.extra_reads[1] = 0;
  }
  filled_[0] = filled_[1] = false;
  trace_.clear();
}

// True: the call is to be made. Streams that it parts from the memory pair
// leave; but mostly another call is made, so that they stay together for long.
bool Differential::Part(const ModelAsk& ask) {
  const bool skip = draw_.Below(4) != 0;
  for (Lane& lane : lanes_) {
    if (lane.pair == nullptr) continue;
    const char* const reason = WhyApart(lane.stream, lane.pair->model(), ask);
    if (reason == nullptr) continue;
    ++apart_[absl::StrCat(StreamName(lane.stream), ": ", reason)];
    if (skip) return false;
    lane.pair.reset();
  }
  return true;
}

// What came of it, in words; empty if there is nothing to compare.
std::string Differential::Ask(Lane& lane, const ModelAsk& ask) {
  const size_t there = lane.pair->model().end(ask.end).queued;
  ModelStep step = lane.pair->Do(ask);
  if (!step.asked) return "would wait";
  if (!step.agrees()) {
    return absl::StrCat("not as the model says (", step.modelled.ToString(),
                        "): ", step.ToString());
  }
  const bool reads = ask.op == ModelOp::kRead || ask.op == ModelOp::kReadInto;
  const bool bulk = filled_[reads ? 1 - ask.end : ask.end];
  // Of an overfilled direction, too, nothing is left behind: the next call has
  // to find the same everywhere.
  const size_t wanted = ask.op == ModelOp::kRead || (bulk && step.real.n > 0)
                            ? there
                            : std::min(there, ask.n);
  while (reads && step.real.kind == ModelAnswer::Kind::kOk &&
         step.real.n < wanted) {
    const ModelStep more = lane.pair->Do(
        {ModelOp::kReadInto, ask.end, wanted - step.real.n, ask.limit});
    if (!more.agrees() || more.real.n == 0) return more.ToString();
    step.real.n += more.real.n;
    ++lane.extra_reads[ask.end];
  }
  if (bulk) step.real.n = 0;
  const flow::Stats stats = lane.pair->flow(ask.end).GetStats();
  std::string words =
      absl::StrCat(step.ToString(), ", code ", static_cast<int>(step.code),
                   ", ", stats.writes, " writes");
  if (!filled_[1 - ask.end]) {
    absl::StrAppend(&words, ", ", stats.bytes_read, " B in ",
                    stats.reads - lane.extra_reads[ask.end], " reads");
  }
  if (!filled_[ask.end]) {
    absl::StrAppend(&words, ", ", stats.bytes_written, " B out");
  }
  return words;
}

bool Differential::Differ(const Lane& lane, const std::string& in_memory,
                          const std::string& here) const {
  std::cerr << "in memory: " << in_memory << "\n"
            << StreamName(lane.stream) << ": " << here << "\nafter\n";
  for (const std::string& line : trace_) std::cerr << "  " << line << "\n";
  return false;
}

bool Differential::Compare(const ModelAsk& ask) {
  if (ask.n == kModelTooMuch) filled_[ask.end] = true;
  const std::string in_memory = Ask(lanes_[0], ask);
  for (Lane& lane : lanes_) {
    if (&lane == lanes_ || lane.pair == nullptr) continue;
    const std::string here = Ask(lane, ask);
    if (here != in_memory) return Differ(lane, in_memory, here);
    ++compared_[static_cast<int>(lane.stream)];
  }
  trace_.push_back(in_memory);
  for (const char c : in_memory) {
    digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return true;
}

bool Differential::Go(uint64_t ops) {
  while (ops > 0) {
    Begin();
    for (const ModelAsk& ask : draw_.Life()) {
      if (!Part(ask)) continue;
      if (!Compare(ask)) return false;
      if (--ops == 0 || lanes_[0].pair->model().over()) break;
    }
  }
  return true;
}

uint64_t Seed() {
  return absl::GetFlag(FLAGS_seed) != 0 ? absl::GetFlag(FLAGS_seed) : SeedOr(1);
}

// P1, P2, P3: what a stream is made of is no matter to its user.
TEST(Differential, EachCallAnswersTheSameOnEachKindOfStream) {
  const uint64_t ops = absl::GetFlag(FLAGS_ops);
  Differential run(Seed());
  ASSERT_TRUE(run.Go(ops)) << "--seed=" << Seed();
  for (const auto& [reason, times] : run.apart()) {
    std::cout << "not compared, " << times << " times: " << reason << "\n";
  }
  std::cout << ops << " calls, 0 differences, seed " << Seed() << ", digest "
            << absl::StrCat(absl::Hex(run.digest())) << "; compared:";
  for (int i = 1; i < kStreams; ++i) {
    const Stream stream = static_cast<Stream>(i);
    std::cout << " " << StreamName(stream) << " " << run.compared(stream);
    // Who leaves early proves little.
    EXPECT_GE(run.compared(stream) * 2, ops);
  }
  std::cout << std::endl;
}

// "replayable".
TEST(Differential, TheSameSeedMakesTheSameCalls) {
  Differential first(Seed() + 1);
  Differential again(Seed() + 1);
  ASSERT_TRUE(first.Go(500) && again.Go(500));
  EXPECT_EQ(first.digest(), again.digest());
}

}  // namespace
}  // namespace flow_testing

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
