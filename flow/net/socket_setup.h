// File: socket_setup.h (internal)
//
// From SocketOptions to the kernel: it alone knows which option is which
// number, and the moment at which it takes effect.
//
//   absl::Status s = PrepareSocket(sys, fd, AF_INET, SocketRole::kDial,
//   options,
//                                  "tcp 10.0.0.1:80");
//   ... connect; or bind and listen, and for each connection:
//   absl::Status s = PrepareAccepted(sys, accepted, AF_INET, options);
//
// Errors name option and value: "setsockopt() failed: Operation not permitted
// [1]; interface=eth0, tcp 10.0.0.1:80".

#ifndef FLOW_NET_SOCKET_SETUP_H_
#define FLOW_NET_SOCKET_SETUP_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/net/socket_options.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

enum class SocketRole : uint8_t { kDial, kListen };

// INVALID_ARGUMENT if a value is out of range, or a field is set that a socket
// of `family` in this role doesn't have (see the table in socket_options.h).
absl::Status CheckFor(SocketRole role, int family,
                      const SocketOptions& options);

// To be called on a new socket, before bind, connect and listen. Sets all that
// is set, and the defaults: nodelay, reuse_address and mode. Binds to
// `options.bind`. `where` is for messages.
absl::Status PrepareSocket(Syscalls* sys, int fd, int family, SocketRole role,
                           const SocketOptions& options,
                           absl::string_view where);

// To be called on a connection that was accepted from a listener on which
// PrepareSocket was called with the same options: sets what is not inherited. A
// TCP connection inherits all of it (no system call), a unix one nothing.
absl::Status PrepareAccepted(Syscalls* sys, int fd, int family,
                             const SocketOptions& options);

// Those of a live socket that can be changed, each with a system call.
absl::Status SetLive(Syscalls* sys, int fd, int family,
                     const SocketOptions& options, absl::string_view where);

// What the kernel says of `fd`.
absl::StatusOr<SocketOptions> ReadOptions(Syscalls* sys, int fd, int family);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_SOCKET_SETUP_H_
