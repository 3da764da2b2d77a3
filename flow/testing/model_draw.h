// File: model_draw.h
//
// ModelDraw: random calls for a ModelPair (model_pair.h), such that each call
// is made in each state again and again. The same seed draws the same calls on
// every machine (std::mt19937_64, and no std::*_distribution).
//
// Not thread-safe.

#ifndef FLOW_TESTING_MODEL_DRAW_H_
#define FLOW_TESTING_MODEL_DRAW_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "flow/testing/model_pair.h"

namespace flow_testing {

class ModelDraw {
 public:
  // `too_much`: a write of so many bytes never fits.
  ModelDraw(uint64_t seed, size_t too_much)
      : random_(seed), too_much_(too_much) {}

  // From 0 to n - 1.
  size_t Below(size_t n) { return random_() % n; }

  ModelAsk Call();

  // Calls that bring a fresh pair into one of the states which calls by chance
  // alone come to rarely.
  std::vector<ModelAsk> Beginning();

  // What becomes of a fresh pair: mostly a beginning, then any calls.
  std::vector<ModelAsk> Life();

 private:
  std::mt19937_64 random_;
  const size_t too_much_;
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_MODEL_DRAW_H_
