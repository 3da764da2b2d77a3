// File: bench_report.h
//
// What `flowcat bench` has measured, in words, as JSON and as a drawing.
//
// Guarantees: pure.

#ifndef FLOW_TOOLS_FLOWCAT_BENCH_REPORT_H_
#define FLOW_TOOLS_FLOWCAT_BENCH_REPORT_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "tools/flowcat/histogram.h"

namespace flow_tools {

struct BenchResult {
  std::string name;    // of the end
  uint64_t bytes = 0;  // there, and as many back
  absl::Duration duration;
  uint64_t message = 0;  // bytes of each exchange
  Histogram latency;     // of each, there and back
};

// Several lines, with a histogram in characters.
std::string BenchAsText(const BenchResult& result);
// One line.
std::string BenchAsJson(const BenchResult& result);
// A picture of the histogram, on an axis of powers of two.
std::string BenchAsSvg(const BenchResult& result);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_BENCH_REPORT_H_
