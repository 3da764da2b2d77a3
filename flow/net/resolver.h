// File: resolver.h (internal)
//
// From an Address to the socket addresses it stands for. It alone knows
// getaddrinfo, which can be neither cancelled nor timed: a name is looked up by
// a helper thread that owns all its data, so that a call whose limit hits
// leaves it behind and returns. Numbers are converted in place, without a
// thread.
//
// A resolver that is stuck keeps every helper that was left behind, so there
// are at most kMostLookUps at a time in a process, whose threads they are.
//
// A Resolution never waits; who drives it does (flow/net/dialing.h).

#ifndef FLOW_NET_RESOLVER_H_
#define FLOW_NET_RESOLVER_H_

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/endpoint.h"
#include "flow/net/address.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

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

// What an Address stands for, at least one, in the order in which the system
// wants them tried. UNAVAILABLE: the name is not known, or the resolver failed.
// RESOURCE_EXHAUSTED: no thread could be made, or there are kMostLookUps.
using Addresses = std::vector<SocketAddress>;

// How many names a process may be looking up at once, with those that nobody
// waits for any more. As many threads as a busy client may need for a moment,
// and few enough that a resolver that hangs for minutes takes no machine down.
inline constexpr int kMostLookUps = 256;

struct LookUp;

// One look-up. Destroying it leaves the helper behind, which calls `sys` until
// it is done.
class Resolution {
 public:
  // `to_listen` if the addresses are to be listened on.
  Resolution(Syscalls* sys, Address address, bool to_listen);

  // Not set: there is no answer yet; Look again once wait() is over.
  std::optional<absl::StatusOr<Addresses>> Begin();
  std::optional<absl::StatusOr<Addresses>> Look();
  const Wait& wait() const { return wait_; }

 private:
  const Address address_;
  const std::shared_ptr<LookUp> look_up_;
  Wait wait_;
};

// Looks up who is to listen. Blocks.
absl::StatusOr<Addresses> ResolveToListen(Syscalls* sys,
                                          const Address& address);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_RESOLVER_H_
