#include "flow/net/look_up.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/net/address.h"
#include "flow/net/resolver.h"
#include "flow/sleeper.h"
#include "flow/status.h"

namespace flow {

absl::StatusOr<std::vector<Endpoint>> LookUp(absl::string_view address,
                                             const Limits& limits,
                                             Syscalls* sys) {
  const absl::StatusOr<Address> parsed = ParseAddress(address);
  if (!parsed.ok()) return parsed.status();
  if (parsed->listens() || (!parsed->is_tcp() && !parsed->is_unix())) {
    return InvalidArgument(absl::StrCat("bad address \"", parsed->ToString(),
                                        "\": nothing to be looked up"));
  }
  if (sys == nullptr) sys = Syscalls::Real();
  internal::Sleeper sleeper(sys, limits, nullptr);
  internal::Resolution resolution(sys, *parsed, /*to_listen=*/false);
  std::optional<absl::StatusOr<internal::Addresses>> answer;
  for (bool begun = false; !answer.has_value(); begun = true) {
    sleeper.Arm();
    internal::Woke woke = sleeper.Check();
    if (woke == internal::Woke::kRetry && begun) {
      woke = sleeper.Sleep(resolution.wait());
    }
    if (woke != internal::Woke::kRetry) {
      return internal::LimitStatus(woke, "lookup", parsed->ToString(), 0);
    }
    answer = begun ? resolution.Look() : resolution.Begin();
  }
  if (!answer->ok()) return answer->status();
  std::vector<Endpoint> names;
  for (const internal::SocketAddress& each : **answer) {
    names.push_back(each.name());
  }
  return names;
}

}  // namespace flow
