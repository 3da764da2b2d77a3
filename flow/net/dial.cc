#include "flow/net/dial.h"

#include <utility>

#include "flow/changed_fields.h"
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

std::string NetOptions::ToString() const {
  const NetOptions usual;
  return internal::ChangedFields()
      .Given("sys", sys != nullptr)
      .Nest("socket", socket.ToString(), usual.socket.ToString())
      .Add("attempt_delay", attempt_delay, usual.attempt_delay)
      .Nest("adaptive", adaptive.ToString(), usual.adaptive.ToString())
      .Text();
}

}  // namespace flow
