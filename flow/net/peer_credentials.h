// File: peer_credentials.h
//
// Who is at the other end of a unix socket, as the kernel vouches for it.
//
//   absl::StatusOr<flow::Credentials> peer = flow::PeerCredentials(f);
//   if (!peer.ok() || peer->uid != 0) return Refuse();
//
// They are those of the process that called connect, listen or socketpair, at
// that moment: it may have passed the socket on, and its number may be
// another's by now.
//
// Guarantees: any thread; never blocks.

#ifndef FLOW_NET_PEER_CREDENTIALS_H_
#define FLOW_NET_PEER_CREDENTIALS_H_

#include <sys/types.h>

#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "flow/flow.h"

namespace flow {

// Who the peer was when it connected.
struct Credentials {
  // 0 for a process of another pid namespace.
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;

  // "pid 12, uid 0, gid 0".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Credentials& credentials) {
    sink.Append(credentials.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const Credentials& credentials) {
    return os << credentials.ToString();
  }
};

// UNIMPLEMENTED: no flow on a unix socket, nor a layer on one; or no
// SO_PEERCRED in this system. FAILED_PRECONDITION, *closed locally*: the flow
// is closed.
[[nodiscard]] absl::StatusOr<Credentials> PeerCredentials(const Flow& flow);

}  // namespace flow

#endif  // FLOW_NET_PEER_CREDENTIALS_H_
