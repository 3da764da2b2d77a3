// File: histogram.h
//
// Histogram: many durations in little memory, each to 2 %.
//
// Guarantees: one thread; never fails.

#ifndef FLOW_TOOLS_FLOWCAT_HISTOGRAM_H_
#define FLOW_TOOLS_FLOWCAT_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace flow_tools {

class Histogram {
 public:
  // How many were from `from` to less than `to`.
  struct Bar {
    absl::Duration from;
    absl::Duration to;
    uint64_t count = 0;
  };

  void Add(absl::Duration value);

  uint64_t count() const { return count_; }
  absl::Duration max() const { return max_; }
  absl::Duration mean() const;
  // So many of a hundred were not longer. 0 if there are none.
  absl::Duration Percentile(double percent) const;
  // From the shortest to the longest, `per_octave` bars for each doubling: a
  // divisor of 32.
  std::vector<Bar> Bars(size_t per_octave) const;

 private:
  // Each power of two, of nanoseconds, in 32 equal parts.
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  absl::Duration sum_;
  absl::Duration max_;
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_HISTOGRAM_H_
