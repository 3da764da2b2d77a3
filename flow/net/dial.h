// File: dial.h
//
// Dial: a flow to somebody who listens. (Also known as connect.)
//
//   absl::StatusOr<flow::Flow> f =
//       flow::Dial("tcp:example.org:80", absl::Seconds(5));
//
// The grammar of addresses is in flow/net/address.h. A name that stands for
// several addresses has them tried one after the other, in the order in which
// the system gives them; while a deadline runs, each gets an equal share of
// what is left (at least 2 s, if there are 2 s), so that a dead first address
// doesn't spend the time of a good second.
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
// the resolver is stuck, and the helper ends when the resolver does.

#ifndef FLOW_NET_DIAL_H_
#define FLOW_NET_DIAL_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/sys/syscalls.h"

namespace flow {

struct NetOptions {
  // Makes the system calls; null is the real kernel. Must outlive the flow, and
  // the look-up of a name that a limit has cut (use one that is never
  // destroyed).
  Syscalls* sys = nullptr;
  // TCP: small writes are sent at once (tcp(7), TCP_NODELAY).
  bool tcp_nodelay = true;
};

// A connection to `address`. Blocks until it stands, within `limits`.
// INVALID_ARGUMENT: the address is none (or is tcp: with port 0).
// UNAVAILABLE: refused, unreachable, or the name is not known.
// NOT_FOUND: no such unix path. PERMISSION_DENIED: it may not be used.
// DEADLINE_EXCEEDED, CANCELLED: a limit, also while a unix listener's queue
// stays full. RESOURCE_EXHAUSTED: no fds or threads left. If several addresses
// fail, the message has each one's reason. On every error nothing is left open.
[[nodiscard]] absl::StatusOr<Flow> Dial(absl::string_view address,
                                        const Limits& limits = {},
                                        const NetOptions& options = {});

}  // namespace flow

#endif  // FLOW_NET_DIAL_H_
