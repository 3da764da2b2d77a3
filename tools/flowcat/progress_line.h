// File: progress_line.h
//
// ProgressLine: how far it has come, in one line:
//
//   12.3 MiB > 4.0 MiB/s | 1.0 MiB < 310.0 KiB/s | 12s | 45%, 15s left
//   3 live, 200 ended, 2 failed | 12.3 MiB > 4.0 MiB/s | ...
//
// Rates are of the last five seconds, so that they follow what happens, and a
// stall is seen as one.
//
// Guarantees: pure but for the samples that it remembers; one thread.

#ifndef FLOW_TOOLS_FLOWCAT_PROGRESS_LINE_H_
#define FLOW_TOOLS_FLOWCAT_PROGRESS_LINE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/time/time.h"
#include "tools/flowcat/byte_size.h"
#include "tools/flowcat/live.h"

namespace flow_tools {

class ProgressLine {
 public:
  // `size`: how many bytes will go forward, if that is known. `many`: says how
  // many connections there are.
  ProgressLine(ByteSize size, bool many) : size_(size), many_(many) {}

  // The line, of at most `width` characters, once `elapsed` has passed since
  // the begin. To be called in the order of time.
  std::string Next(absl::Duration elapsed,
                   const LiveConnections::Totals& totals, size_t width);

 private:
  struct Sample {
    absl::Duration elapsed;
    uint64_t forward = 0;
    uint64_t back = 0;
  };

  std::string Left(const Sample& first, const Sample& now) const;

  const ByteSize size_;
  const bool many_;
  std::deque<Sample> samples_ = {{}};
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_PROGRESS_LINE_H_
