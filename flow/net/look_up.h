// File: look_up.h
//
// LookUp: what the name in an address stands for, without connecting. (Also
// known as resolve, getaddrinfo.) Dial does it by itself; this is for who wants
// to see the addresses, or the time that it takes.
//
//   absl::StatusOr<std::vector<flow::Endpoint>> all =
//       flow::LookUp("tcp:example.org:80", absl::Seconds(5));
//
// Guarantees: any thread. As Dial's own look-up: a host's number is converted
// in place; a name is looked up by a helper thread, which is left behind if a
// limit hits.

#ifndef FLOW_NET_LOOK_UP_H_
#define FLOW_NET_LOOK_UP_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/endpoint.h"
#include "flow/limits.h"
#include "flow/sys/syscalls.h"

namespace flow {

// At least one, in the order in which the system wants them tried; of a unix
// address the one that it is. Blocks, within `limits`. INVALID_ARGUMENT: the
// address is none that Dial takes. UNAVAILABLE: the name is not known.
// DEADLINE_EXCEEDED, CANCELLED: a limit. RESOURCE_EXHAUSTED: no thread left.
// `sys`: as in NetOptions (flow/net/dial.h).
[[nodiscard]] absl::StatusOr<std::vector<Endpoint>> LookUp(
    absl::string_view address, const Limits& limits = {},
    Syscalls* sys = nullptr);

}  // namespace flow

#endif  // FLOW_NET_LOOK_UP_H_
