// File: resolver.h (internal)
//
// From an Address to the socket addresses it stands for. It alone knows
// getaddrinfo, which can be neither cancelled nor timed: a name is looked up by
// a helper thread that owns all its data, so that a call whose limit hits
// leaves it behind and returns. Numbers are converted in place, without a
// thread.

#ifndef FLOW_NET_RESOLVER_H_
#define FLOW_NET_RESOLVER_H_

#include <sys/socket.h>

#include <vector>

#include "absl/status/statusor.h"
#include "flow/endpoint.h"
#include "flow/limits.h"
#include "flow/net/address.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  const sockaddr* generic() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  int family() const { return storage.ss_family; }
  Endpoint name() const { return Endpoint::FromSockaddr(generic(), length); }
};

// What `address` stands for, at least one, in the order in which the system
// wants them tried; `to_listen` if they are to be listened on. Blocks within
// `limits`. UNAVAILABLE: the name is not known, or the resolver failed.
// RESOURCE_EXHAUSTED: no thread could be made. A look-up that was left behind
// calls `sys` until it is done.
absl::StatusOr<std::vector<SocketAddress>> Resolve(Syscalls* sys,
                                                   const Address& address,
                                                   bool to_listen,
                                                   const Limits& limits);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_RESOLVER_H_
