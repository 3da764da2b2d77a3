#include "flow/testing/fault_options.h"

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace flow_testing {

std::string NthFault::ToString() const {
  return absl::StrCat(k, " ", ErrnoName(error), " ",
                      times == kForever ? "forever" : absl::StrCat("x", times),
                      " ", calls.ToString());
}

FaultOptions FaultOptions::FailNth(int k, int error, int times, CallSet calls) {
  FaultOptions options;
  options.nth.push_back({k, error, times, calls});
  return options;
}

std::string FaultOptions::ToString() const {
  std::string text = absl::StrCat("seed=", seed);
  const auto add = [&text](const char* name, double value) {
    if (value != 0) absl::StrAppend(&text, " ", name, "=", value);
  };
  add("max_transfer", static_cast<double>(max_transfer));
  if (cut < 1) add("cut", cut);
  add("interrupted", interrupted);
  add("not_yet", not_yet);
  add("no_buffers", no_buffers);
  add("accept_fails", accept_fails);
  add("close_fails", close_fails);
  if (reset_after_read.has_value()) {
    absl::StrAppend(&text, " reset_after_read=", *reset_after_read);
  }
  if (reset_after_written.has_value()) {
    absl::StrAppend(&text, " reset_after_written=", *reset_after_written);
  }
  for (const NthFault& fault : nth) {
    absl::StrAppend(&text, " nth={", fault.ToString(), "}");
  }
  return text;
}

uint64_t SeedOr(uint64_t fallback) {
  const char* text = std::getenv("FLOW_TEST_SEED");
  uint64_t seed = 0;
  return text != nullptr && absl::SimpleAtoi(text, &seed) ? seed : fallback;
}

}  // namespace flow_testing
