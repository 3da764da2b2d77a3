// File: model_guide.h
//
// ModelGuide: leads random calls to where chance alone seldom comes. It keeps
// ways, calls by which states were reached, and counts how often each call was
// tried in each state; what was tried least often is where to go next.
//
//   ModelGuide guide(/*goal=*/1000);
//   guide.Learn(Stream::kMemory, state, asks, end);   // a scout's ways
//   const std::optional<ModelGuide::Target> target =
//       guide.Next(Stream::kTcp, draw);
//   ...makes target->way on a fresh pair, then target->op...
//   guide.Made(Stream::kTcp, target->state, target->op, target->way,
//              target->end);
//
// A pair of state and call that the table of differences (model_streams.h) does
// not let be compared on any of the streams is done with once it has been
// refused `goal` times; the reason is kept.
//
// Not thread-safe. What is drawn comes from the ModelDraw alone.

#ifndef FLOW_TESTING_MODEL_GUIDE_H_
#define FLOW_TESTING_MODEL_GUIDE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <vector>

#include "flow/testing/model_draw.h"
#include "flow/testing/model_pair.h"
#include "flow/testing/model_streams.h"
#include "flow/testing/stream_model.h"

namespace flow_testing {

class ModelGuide {
 public:
  // Every pair is to be made `goal` times; refused as often, it is impossible.
  explicit ModelGuide(uint64_t goal) : goal_(goal) {}

  // A pair that lacks, and how to come to where it can be made.
  struct Target {
    int state = 0;                // the pair: the model's state,
    ModelOp op = ModelOp::kRead;  // and the operation
    std::vector<ModelAsk> way;    // on a fresh pair
    int end = 0;                  // that is in the state then
  };

  // The calls on a fresh pair led this end into the state.
  void Learn(Stream stream, int state, const std::vector<ModelAsk>& asks,
             int end);

  // Where to go on a fresh pair; nullopt: nothing lacks.
  std::optional<Target> Next(Stream stream, ModelDraw& draw);

  // What came of it, and what else was done: after these calls on a fresh pair
  // `op` was made on this end.
  void Made(Stream stream, int state, ModelOp op,
            const std::vector<ModelAsk>& asks, int end);
  void Refused(const Target& target, const char* reason);
  void WentAstray(const Target& target) {
    ++At(target.state, target.op).astray;
  }

  // Keeps the ways alone.
  void ForgetCounts() { pairs_ = {}; }

  // How many pairs can be made, that is, more often than never or not refused
  // yet; how many are always refused; and how often the rarest of the former
  // was made.
  struct Sum {
    int possible = 0;              // pairs
    int refused = 0;               // pairs
    uint64_t rarest = UINT64_MAX;  // times
  };
  // As of now.
  Sum sum() const;
  // A line for each that is rare or always refused, with the reason.
  void Print(std::ostream& os) const;

 private:
  struct Pair {
    uint64_t made = 0;
    uint64_t refused = 0;
    uint64_t astray = 0;
    const char* reason = nullptr;  // the last

    uint64_t tried() const { return made + refused + astray; }
  };
  struct Way {
    std::vector<ModelAsk> asks;
    int end;
  };
  using Ways = std::array<std::vector<Way>, StreamModel::kStates>;
  using WaysToPairs =
      std::array<std::array<std::vector<Way>, kModelOps>, StreamModel::kStates>;

  Pair& At(int state, ModelOp op) {
    return pairs_[static_cast<size_t>(state)][static_cast<size_t>(op)];
  }
  bool Impossible(const Pair& pair) const {
    return pair.made == 0 && pair.refused >= goal_;
  }
  bool Lacks(const Pair& pair) const;
  const std::vector<Way>& WaysTo(const Target& target, Stream stream,
                                 ModelDraw& draw) const;

  const uint64_t goal_;
  std::array<Ways, kStreams> ways_;
  // By which a pair that lacks was made.
  std::array<WaysToPairs, kStreams> ways_to_pairs_;
  std::array<std::array<Pair, kModelOps>, StreamModel::kStates> pairs_ = {};
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_MODEL_GUIDE_H_
