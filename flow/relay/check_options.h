// File: check_options.h (internal)
//
// What makes no sense in the options of a copy or relay.

#ifndef FLOW_RELAY_CHECK_OPTIONS_H_
#define FLOW_RELAY_CHECK_OPTIONS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/relay/carrier.h"
#include "flow/relay/relay_options.h"
#include "flow/status.h"

namespace flow {
namespace internal {

inline absl::Status CheckPositive(const char* what, absl::Duration value) {
  if (value > absl::ZeroDuration()) return absl::OkStatus();
  return InvalidArgument(absl::StrCat("relay refused: ", what, " is ",
                                      absl::FormatDuration(value),
                                      ", but must be positive"));
}

// INVALID_ARGUMENT, with the reason; `options` are Copy's or Relay's.
template <typename Options>
absl::Status CheckOptions(const Options& options) {
  absl::Status s = CheckPositive("stall_timeout", options.limits.stall_timeout);
  if (s.ok()) s = CheckPositive("progress_interval", options.progress_interval);
  if (s.ok() && options.buffer_size > kMaxBuffer) {
    s = InvalidArgument(absl::StrCat("relay refused: buffer_size is ",
                                     options.buffer_size, ", but at most ",
                                     kMaxBuffer));
  }
  return s;
}

inline absl::Status CheckRelayOptions(const RelayOptions& options) {
  absl::Status s = CheckOptions(options);
  if (s.ok()) s = CheckPositive("half_close_limit", options.half_close_limit);
  return s;
}

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_CHECK_OPTIONS_H_
