// File: listener_facts.h (internal)
//
// ListenerFacts: what a listener knows of itself, shared by its blocking and
// its future form, and kept by Accepts that are under way when the listener is
// destroyed. It alone knows how a flow is made of an accepted connection.

#ifndef FLOW_NET_LISTENER_FACTS_H_
#define FLOW_NET_LISTENER_FACTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/adaptive_reads.h"
#include "flow/endpoint.h"
#include "flow/fd/fd_kind.h"
#include "flow/flow.h"
#include "flow/net/acceptor.h"
#include "flow/net/listener.h"
#include "flow/net/socket_options.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

// What Dial is to be told of a unix listener.
std::string UnixAddressText(absl::string_view path, bool is_abstract);

struct ListenerFacts {
  // What came of a read of an Acceptor. Owns the descriptor in `record`
  // whatever `read` says: one that was written must not leak.
  absl::StatusOr<Flow> Accepted(const AcceptedRecord& record,
                                const absl::Status& read) const;

  ListenerStats GetStats() const;
  // The first.
  std::string address() const;
  std::vector<std::string> addresses() const;
  // The first there is.
  uint16_t port() const;
  // "listener tcp:127.0.0.1:34567, 12 accepted"; with several addresses a
  // space between them.
  std::string ToString() const;

  Syscalls* sys = nullptr;
  struct Place {
    FdKind kind = FdKind::kTcp;
    std::string address;  // as Dial would be told
    Endpoint local;
    SocketOptions options;  // of what is accepted there
  };
  AdaptiveReads adaptive;     // of what is accepted
  std::vector<Place> places;  // one for each of the acceptor's sockets
  std::shared_ptr<AcceptCounters> counters = std::make_shared<AcceptCounters>();
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_LISTENER_FACTS_H_
