#include "flow/layers/fault_random.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace flow {
namespace internal {

uint64_t Mixed(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

double FaultRandom::Fraction() {
  return std::ldexp(static_cast<double>(Next() >> 11), -53);
}

Corruption::Corruption(std::vector<uint64_t> at, double probability,
                       uint64_t seed)
    : at_(std::move(at)), every_(probability >= 1), seed_(Mixed(seed)) {
  std::sort(at_.begin(), at_.end());
  if (!every_) threshold_ = static_cast<uint64_t>(std::ldexp(probability, 64));
}

uint64_t Corruption::NextHit(uint64_t from, uint64_t end) const {
  if (every_) return std::min(from, end);
  const auto listed = std::lower_bound(at_.begin(), at_.end(), from);
  if (listed != at_.end()) end = std::min(end, *listed);
  if (threshold_ == 0) return end;
  while (from < end && Mixed(seed_ ^ from) >= threshold_) ++from;
  return from;
}

char Corruption::Flipped(uint64_t position, char byte) const {
  const auto bit = static_cast<unsigned>(Mixed(~(seed_ ^ position)) % 8);
  return static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << bit));
}

}  // namespace internal
}  // namespace flow
