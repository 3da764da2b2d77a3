#include "flow/testing/fault_options.h"

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace flow_testing {
namespace {

std::string Name(CallSet calls) {
  if (calls == CallSet::AllButEventfd()) return "any";
  std::string names;
  for (int i = 0; i < kCallCount; ++i) {
    const Call call = static_cast<Call>(i);
    if (!calls.contains(call)) continue;
    absl::StrAppend(&names, names.empty() ? "" : "|", CallName(call));
  }
  return names;
}

}  // namespace

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
    absl::StrAppend(&text, " nth={", fault.k, " ", ErrnoName(fault.error), " ");
    if (fault.times == NthFault::kForever) {
      absl::StrAppend(&text, "forever ");
    } else {
      absl::StrAppend(&text, "x", fault.times, " ");
    }
    absl::StrAppend(&text, Name(fault.calls), "}");
  }
  return text;
}

uint64_t SeedOr(uint64_t fallback) {
  const char* text = std::getenv("FLOW_TEST_SEED");
  uint64_t seed = 0;
  return text != nullptr && absl::SimpleAtoi(text, &seed) ? seed : fallback;
}

}  // namespace flow_testing
