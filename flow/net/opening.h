// File: opening.h (internal)
//
// What Open does for the schemes that are neither dialled nor added. The
// address is of that scheme; limits and errors are Open's.

#ifndef FLOW_NET_OPENING_H_
#define FLOW_NET_OPENING_H_

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/address.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

absl::StatusOr<Flow> OpenFds(const Address& address, Syscalls* sys);
absl::StatusOr<Flow> OpenFile(const Address& address, const Limits& limits,
                              Syscalls* sys);
absl::StatusOr<Flow> OpenTerminal(const Address& address, Syscalls* sys);
absl::StatusOr<Flow> OpenCommand(const Address& address, Syscalls* sys);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_OPENING_H_
