#include "flow/net/dial.h"

#include <utility>

#include "flow/net/dialing.h"

namespace flow {

absl::StatusOr<Flow> Dial(absl::string_view address, const Limits& limits,
                          const NetOptions& options) {
  internal::Dialing dialing(limits, options);
  internal::Dialing::Result result = dialing.Begin(address);
  while (!result.has_value()) {
    result = dialing.Resume(dialing.sleeper().Sleep(dialing.wait()));
  }
  return *std::move(result);
}

}  // namespace flow
