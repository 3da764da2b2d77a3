// File: fault_random.h (internal)
//
// What of a FaultPlan is left to chance. It alone turns a seed into faults;
// without the standard's distributions, which each library draws differently.
//
// Not thread-safe but for Corruption, which is immutable.

#ifndef FLOW_LAYERS_FAULT_RANDOM_H_
#define FLOW_LAYERS_FAULT_RANDOM_H_

#include <cstdint>
#include <vector>

namespace flow {
namespace internal {

// A number that depends on all bits of `x` (the finalizer of SplitMix64).
uint64_t Mixed(uint64_t x);

// A sequence of numbers.
class FaultRandom {
 public:
  explicit FaultRandom(uint64_t seed) : state_(Mixed(seed)) {}

  uint64_t Next() { return Mixed(state_++); }
  // 0 to `n` - 1, for n > 0.
  uint64_t Below(uint64_t n) { return Next() % n; }
  // 0 to 1, without 1.
  double Fraction();

 private:
  uint64_t state_;
};

// Which bytes of a direction are corrupted, and how.
class Corruption {
 public:
  Corruption(std::vector<uint64_t> at, double probability, uint64_t seed);

  // The first position from `from` on, before `end`, that is hit; else `end`.
  uint64_t NextHit(uint64_t from, uint64_t end) const;
  // The byte at `position` after it was hit.
  char Flipped(uint64_t position, char byte) const;

 private:
  std::vector<uint64_t> at_;  // sorted
  // A byte is hit if its number is below this; all of them if `every_`.
  uint64_t threshold_ = 0;
  bool every_ = false;
  uint64_t seed_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_LAYERS_FAULT_RANDOM_H_
