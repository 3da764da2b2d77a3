// File: model_run.h
//
// RandomRun: random calls (model_draw.h) on pairs of flows of some kinds, each
// compared with the reference model (model_pair.h). On sockets the system calls
// below are interrupted, come up short and say "not yet" for no reason.
//
//   RandomRun run(/*seed=*/7, {Stream::kSocketpair, Stream::kTcp});
//   EXPECT_TRUE(run.Go(1'000'000));
//
// The same seed makes the same calls. Not thread-safe.

#ifndef FLOW_TESTING_MODEL_RUN_H_
#define FLOW_TESTING_MODEL_RUN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "flow/testing/fault_options.h"
#include "flow/testing/fault_syscalls.h"
#include "flow/testing/model_draw.h"
#include "flow/testing/model_guide.h"
#include "flow/testing/model_pair.h"
#include "flow/testing/model_streams.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/testing/stream_model.h"

namespace flow_testing {

class RandomRun {
 public:
  // More than a memory pair of these runs holds.
  static constexpr size_t kTooMuchInMemory = 400;

  // `streams`: of what kinds the pairs are; none: the memory pair, whose
  // capacity is then small enough to be filled.
  explicit RandomRun(uint64_t seed, std::vector<Stream> streams = {})
      : streams_(std::move(streams)),
        draw_(seed, streams_.empty() ? kTooMuchInMemory : kModelTooMuch),
        not_yet_(NotYet(seed), &clock_),
        faulty_(Faults(seed), &not_yet_) {
    sim_.AutoAdvance(1);
  }

  // Whom to ask where to go, and to tell the ways there.
  void set_guide(ModelGuide* guide) { guide_ = guide; }

  // Until `ops` calls have been compared. False: a divergence, which is told.
  bool Go(uint64_t ops);

  // Of all calls and their results: two runs from one seed have the same.
  uint64_t digest() const { return digest_; }
  // How many the kernel's stand-ins have made.
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
  bool Follow(ModelPair& pair, const ModelGuide::Target& target);
  void TellWays(const ModelPair& pair);

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
  ModelGuide* guide_ = nullptr;
  // Of this pair:
  std::vector<std::string> trace_;
  std::vector<ModelAsk> asked_;
  std::array<bool, StreamModel::kStates> told_ = {};  // ways to these states
  const char* refused_ = nullptr;                     // why a call was not made
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_MODEL_RUN_H_
