// Any calls on two flows in memory, in any order: a libFuzzer target.
//
//   tools/fuzz --seconds=60 model_fuzz
//
// An input is the capacity of the pair and then two bytes a call: which call on
// which end, and its limit and size. What each call answers, and each byte that
// arrives, is compared with the reference model (stream_model.h).
// (model_fuzz_corpus_test replays the corpus in every test run.)

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "flow/testing/model_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/testing/stream_model.h"

namespace {

using flow_testing::ModelAsk;
using flow_testing::ModelLimit;
using flow_testing::ModelOp;
using flow_testing::ModelPair;
using flow_testing::ModelStep;

// More would only make an input slower.
constexpr size_t kMostCalls = 200;

// Small ones, where the ends of buffers are near, and a few that fill a pair.
constexpr size_t kSizes[] = {0, 1,  2,  3,  4,  5,  7,   8,
                             9, 16, 17, 63, 64, 65, 300, 1000};

ModelAsk AskOf(uint8_t what, uint8_t how) {
  ModelAsk ask;
  ask.op = static_cast<ModelOp>((what >> 1) % flow_testing::kModelOps);
  ask.end = what & 1;
  ask.limit = static_cast<ModelLimit>(how & 3);
  ask.n = kSizes[how >> 2 & 15];
  return ask;
}

// Kept for all inputs: its clock may stand anywhere.
flow_testing::SimSyscalls* Kernel() {
  static flow_testing::SimSyscalls* const sim = [] {
    auto* const made = new flow_testing::SimSyscalls;
    made->AutoAdvance(1);
    return made;
  }();
  return sim;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  ModelPair pair(data[0] + size_t{1}, Kernel());
  const size_t calls = std::min((size - 1) / 2, kMostCalls);
  for (size_t i = 0; i < calls; ++i) {
    const ModelStep step = pair.Do(AskOf(data[1 + 2 * i], data[2 + 2 * i]));
    if (step.agrees()) continue;
    std::cerr << "call " << i << ": " << step.ToString()
              << ", but the model says " << step.modelled << "\n";
    std::abort();
  }
  return 0;
}
