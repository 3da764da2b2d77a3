#include "tools/flowcat/histogram.h"

#include <algorithm>
#include <cmath>

namespace flow_tools {
namespace {

constexpr uint64_t kParts = 32;

// Values below 32 ns are their own index; from there on each octave has 32.
size_t IndexOf(uint64_t ns) {
  size_t octave = 0;
  while (ns >= 2 * kParts) {
    ns >>= 1;
    ++octave;
  }
  return static_cast<size_t>(octave * kParts + ns);
}

// The smallest value with this index.
uint64_t BeginOf(size_t index) {
  if (index < 2 * kParts) return index;
  const size_t octave = index / kParts - 1;
  return (index - octave * kParts) << octave;
}

absl::Duration Time(uint64_t ns) {
  return absl::Nanoseconds(static_cast<int64_t>(ns));
}

}  // namespace

void Histogram::Add(absl::Duration value) {
  value = std::max(value, absl::ZeroDuration());
  const size_t index =
      IndexOf(static_cast<uint64_t>(absl::ToInt64Nanoseconds(value)));
  if (index >= counts_.size()) counts_.resize(index + 1);
  ++counts_[index];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

absl::Duration Histogram::mean() const {
  return count_ == 0 ? absl::ZeroDuration()
                     : sum_ / static_cast<double>(count_);
}

absl::Duration Histogram::Percentile(double percent) const {
  const auto wanted = static_cast<uint64_t>(
      std::ceil(percent / 100 * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted && seen > 0) return std::min(Time(BeginOf(i + 1)), max_);
  }
  return max_;
}

std::vector<Histogram::Bar> Histogram::Bars(size_t per_octave) const {
  const size_t step = kParts / per_octave;
  std::vector<Bar> bars;
  for (size_t i = 0; i < counts_.size(); i += step) {
    Bar bar = {Time(BeginOf(i)), Time(BeginOf(i + step))};
    for (size_t j = i; j < std::min(i + step, counts_.size()); ++j) {
      bar.count += counts_[j];
    }
    // None before the first.
    if (bar.count > 0 || !bars.empty()) bars.push_back(bar);
  }
  return bars;
}

}  // namespace flow_tools
