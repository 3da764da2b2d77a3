// File: dial.h
//
// Dial: a flow to somebody who listens. (Also known as connect.)
//
//   absl::StatusOr<flow::Flow> f =
//       flow::Dial("tcp:example.org:80", absl::Seconds(5));
//
// The grammar of addresses is in flow/net/address.h. A name is looked up by the
// system's resolver, and may stand for several addresses. They are tried as RFC
// 8305 ("happy eyeballs") says: IPv6 and IPv4 by turns, beginning with the one
// that the system puts first; the next as soon as one has failed, or has said
// nothing for `attempt_delay`, while the earlier ones go on (at most 16 at
// once); the first that connects wins, and the others are closed before Dial
// returns. A dead first address so costs a good second one 250 ms. No part of
// the deadline belongs to one address.
//
// With a future or a callback: flow/net/async_dial.h.
//
// A TCP flow has TCP_NODELAY set unless told otherwise: a flow's Write is a
// message that somebody waits for, and who writes in small pieces has Writev.
// Sockets are close-on-exec and non-blocking from birth.
//
// Guarantees: any thread. No signal reaches a helper thread. A host's number is
// converted in place; a name is looked up by a detached helper thread, since
// getaddrinfo(3) can be neither cancelled nor timed: Dial ends in time even if
// the resolver is stuck, and the helper ends when the resolver does. At most
// 256 names are looked up at once in a process, those included that nobody
// waits for any more. A socket is never connected to itself, which TCP allows
// (tcp(7)).

#ifndef FLOW_NET_DIAL_H_
#define FLOW_NET_DIAL_H_

#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/adaptive_reads.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/socket_options.h"
#include "flow/sys/syscalls.h"

namespace flow {

// How a connection is made.
struct NetOptions {
  // Makes the system calls; null is the real kernel. Must outlive the flow, and
  // the look-up of a name that a limit has cut (use one that is never
  // destroyed).
  Syscalls* sys = nullptr;
  // Set before it connects. What the address says wins. INVALID_ARGUMENT if an
  // option is not for this kind of address (flow/net/socket_options.h).
  SocketOptions socket;
  // How long one address of a name may be silent before the next is tried
  // beside it. At least 10 ms; absl::InfiniteDuration() tries the next only
  // when one has failed.
  absl::Duration attempt_delay = absl::Milliseconds(250);
  // What the flow's reads may do where they keep having to wait.
  AdaptiveReads adaptive;

  // "attempt_delay=1s": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const NetOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const NetOptions& options) {
    return os << options.ToString();
  }
};

// A connection to `address`. Blocks until it stands, within `limits`.
// INVALID_ARGUMENT: the address is none (or is tcp: with port 0).
// UNAVAILABLE: refused, unreachable, or the name is not known.
// NOT_FOUND: no such unix path. PERMISSION_DENIED: it may not be used.
// DEADLINE_EXCEEDED, CANCELLED: a limit, also while a unix listener's queue
// stays full; a stall limit that is passed has the next address begun with, if
// there is one. RESOURCE_EXHAUSTED: no fds or threads left, or 256 look-ups are
// under way. The message has the reason of each address that has failed, and
// names those that had not answered. On every error nothing is left open.
[[nodiscard]] absl::StatusOr<Flow> Dial(absl::string_view address,
                                        const Limits& limits = {},
                                        const NetOptions& options = {});

}  // namespace flow

#endif  // FLOW_NET_DIAL_H_
