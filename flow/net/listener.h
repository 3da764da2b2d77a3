// File: listener.h
//
// Listener: where flows come from.
//
//   absl::StatusOr<flow::Listener> listener = flow::Listen("tcp:127.0.0.1:0");
//   LogLine("listening on ", listener->address());
//   for (;;) {
//     absl::StatusOr<flow::Flow> f = listener->Accept();
//     if (!f.ok()) break;                    // closed
//     ...
//   }
//
// With futures and callbacks: flow/net/async_listener.h.
//
// A listener survives any client and any shortage (P11): a client that is gone
// before it could be accepted is passed over; while there are no fds or no
// memory Accept waits, asks eight times a second, and leaves the client in the
// kernel's queue. Both are counted.
//
// tcp: SO_REUSEADDR is set, so that a server can be started again at once (two
// listeners on one port are still refused: FAILED_PRECONDITION); port 0 is any
// free port. A name is listened on at all of its addresses (localhost: at
// 127.0.0.1 and at ::1, on one port), but for those that this machine doesn't
// have. Where IPv4 is listened on too, IPv6 sockets take IPv6 alone, so that
// both families may have one port; otherwise they take what the system says
// (sysctl net.ipv6.bindv6only). `v6only` decides both.
//
// unix: the file is made by bind(2) with `mode` (0600: who may write to it may
// connect) less the umask, from its first moment. A path that exists, whatever
// it is, is FAILED_PRECONDITION and left alone. With `reclaim` one that a
// server has left behind is taken over: a socket that refuses connections
// twice, 20 ms apart; never that of a live one (who sees a connection that goes
// at once), nor what is no socket or can't be asked; and of two who do this at
// once one wins. Close removes the file, unless something else is there by
// then; a forked child never does. An abstract name has no file.
//
// Several sockets are asked by turns, so that a flood at one doesn't keep the
// clients of another waiting.
//
// Guarantees: every method may be called from any thread at any time;
// destroying or moving the Listener must not race with calls that *begin*,
// those that are blocked are woken. Several Accepts are served first come,
// first served. Everything is close-on-exec from birth.

#ifndef FLOW_NET_LISTENER_H_
#define FLOW_NET_LISTENER_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/adaptive_reads.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/socket_options.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow {

namespace internal {
struct ListenerFacts;
}  // namespace internal

// How a listener is made.
struct ListenOptions {
  // Makes the system calls of the listener and its flows; null is the real
  // kernel. Must outlive them.
  Syscalls* sys = nullptr;
  // How many connections may wait to be accepted (listen(2)); the system cuts
  // it.
  int backlog = 4096;
  // Of the listening sockets, and of what is accepted from them. What the
  // address says wins. INVALID_ARGUMENT if an option is not for a listener on
  // this kind of address (the table of flow/net/socket_options.h): of several
  // kinds, each has its own behind its address.
  SocketOptions socket;
  // What reads of its flows may do where they keep having to wait.
  AdaptiveReads adaptive;

  // "backlog=5": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ListenOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ListenOptions& options) {
    return os << options.ToString();
  }
};

// What a Listener has done so far. A value.
struct ListenerStats {
  uint64_t accepted = 0;          // connections
  uint64_t transient_errors = 0;  // clients gone before they were accepted
  uint64_t shortages = 0;         // how often there were no fds or no memory

  // "12 accepted, 1 gone before that, 0 shortages".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ListenerStats& stats) {
    sink.Append(stats.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ListenerStats& stats) {
    return os << stats.ToString();
  }
};

class Listener {
 public:
  // No listener: Accept answers *closed locally*, Close OK.
  Listener() = default;

  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) noexcept = default;
  // Close without waiting.
  ~Listener() = default;

  // Waits for a connection and returns it. On an error none was taken.
  // CANCELLED: closed meanwhile, or the token; DEADLINE_EXCEEDED: a limit;
  // FAILED_PRECONDITION, *closed locally*: after Close. Anything else means
  // that the socket itself has failed, and is the answer from then on.
  [[nodiscard]] absl::StatusOr<Flow> Accept(const Limits& limits = {});

  // Stops listening: wakes all who are in Accept within 100 ms, resets clients
  // that were not accepted yet, removes the unix path. Flows that were accepted
  // live on. Idempotent: later calls return the status of the first.
  absl::Status Close();

  // Whether there is nothing to Accept from: after Close, or no listener.
  bool closed() const;

  // Where it listens, as Dial would be told: "tcp:127.0.0.1:34567",
  // "unix:/run/app.sock". Of several addresses the first, or all. Empty if
  // there is no listener.
  std::string address() const;
  std::vector<std::string> addresses() const;
  // The first TCP port, 0 if there is none.
  uint16_t port() const;

  // Counters, since the start. Never blocks.
  ListenerStats GetStats() const;

  // The listening fd, still owned by the listener; -1 once it is closed, and if
  // there are several.
  int native_handle() const { return flow_.native_handle(); }

  // "listener tcp:127.0.0.1:34567, 12 accepted"; all addresses, if there are
  // several.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Listener& listener) {
    sink.Append(listener.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Listener& listener) {
    return os << listener.ToString();
  }

 private:
  friend absl::StatusOr<Listener> AdoptListeners(std::vector<UniqueFd> fds,
                                                 Syscalls* sys);
  friend absl::StatusOr<Listener> ListenAll(
      absl::Span<const std::string> addresses, const ListenOptions& options);
  friend class AsyncListener;

  Flow flow_;  // of connections (flow/net/acceptor.h)
  std::shared_ptr<const internal::ListenerFacts> facts_;
};

// Starts to listen on `address` (grammar: flow/net/address.h). Doesn't block,
// but for looking up a name, and for reclaiming a path (20 ms, or up to 2 s
// while another does that in the same folder). INVALID_ARGUMENT: the address is
// none. FAILED_PRECONDITION: it is in use. UNAVAILABLE: not an address of this
// machine, or a name that is not known. NOT_FOUND: no such folder.
// PERMISSION_DENIED, RESOURCE_EXHAUSTED: as the system says. On every error
// nothing is left open, and no file was made.
[[nodiscard]] absl::StatusOr<Listener> Listen(
    absl::string_view address, const ListenOptions& options = {});

// The same on several addresses at once:
//
//   flow::ListenAll({"tcp:0.0.0.0:80", "tcp:[::]:80",
//                    "unix:/run/app.sock,mode=0660,reclaim"});
//
// All or none: if one of them can't be listened on, that is the answer.
[[nodiscard]] absl::StatusOr<Listener> ListenAll(
    absl::Span<const std::string> addresses, const ListenOptions& options = {});

// A listener on a socket that listens already, such as one that this process
// was started with (flow/net/activation.h). Sets close-on-exec and O_NONBLOCK,
// and TCP_NODELAY for what is accepted; a unix path is left to whoever made it.
// INVALID_ARGUMENT: not a listening stream socket. FAILED_PRECONDITION: not
// open. `fd` is closed on every error but the last. `sys`: as in ListenOptions.
[[nodiscard]] absl::StatusOr<Listener> AdoptListener(UniqueFd fd,
                                                     Syscalls* sys = nullptr);

// One listener on all of them, as ListenAll makes it. All or none: on an error
// every one is closed that is open.
[[nodiscard]] absl::StatusOr<Listener> AdoptListeners(std::vector<UniqueFd> fds,
                                                      Syscalls* sys = nullptr);

}  // namespace flow

#endif  // FLOW_NET_LISTENER_H_
