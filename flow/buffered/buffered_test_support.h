// File: buffered_test_support.h
//
// Flows for tests of Reader and Writer: one that gives its bytes in pieces of
// the test's, one that takes what it has room for.

#ifndef FLOW_BUFFERED_BUFFERED_TEST_SUPPORT_H_
#define FLOW_BUFFERED_BUFFERED_TEST_SUPPORT_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "flow/flow.h"

namespace flow_testing {

// What a Sink has seen; outlives the flow.
struct SinkLog {
  std::string taken;
  int tries = 0;  // TryWrites that took something
  bool ended = false;
  bool aborted = false;
  bool closed = false;
};

// Reads give one of `chunks` (empty ones are skipped) or a part of it, then Eof
// or the errno `error`. Writes are swallowed.
flow::Flow SourceOf(std::vector<std::string> chunks, int error = 0);

// Takes `room` bytes, at most `step` at a time, then fails with `error`.
flow::Flow SinkOf(SinkLog* log, size_t room = SIZE_MAX, int error = 0,
                  size_t step = SIZE_MAX);

// `bytes` cut at the positions whose bits are set in `cuts`: all ways to split
// n bytes are 2^(n-1) numbers.
std::vector<std::string> SplitAt(absl::string_view bytes, uint64_t cuts);
// Cut into pieces of 1 to `longest` bytes.
std::vector<std::string> SplitRandomly(absl::string_view bytes, size_t longest,
                                       std::mt19937_64& random);

// `size` bytes in which no stretch repeats soon.
std::string Pattern(size_t size);

}  // namespace flow_testing

#endif  // FLOW_BUFFERED_BUFFERED_TEST_SUPPORT_H_
