// File: open.h
//
// Open: a flow from any address; OpenListener: a listener from any that
// listens. (The grammar is in flow/net/address.h.)
//
//   absl::StatusOr<flow::Flow> f = flow::Open(argv[1], absl::Seconds(5));
//
//   absl::StatusOr<flow::OpenedListener> l = flow::OpenListener(argv[2]);
//   for (;;) {
//     absl::StatusOr<flow::Flow> accepted = l->listener.Accept();
//     if (!accepted.ok()) break;
//     std::thread([upgrade = l->upgrade, f = *std::move(accepted)]() mutable {
//       absl::StatusOr<flow::Flow> ready =
//           upgrade(std::move(f), absl::Seconds(5));
//       ...
//     }).detach();
//   }
//
// Accepting and what a scheme does with the accepted connection (the handshake
// of tls-listen:) are two steps, so that a client that is silent keeps nobody
// else waiting (P12): `upgrade` belongs to the connection's own thread.
//
// What each scheme gives, beside Dial and Listen:
// - fd: borrows, or owns, as Borrow and Adopt do (flow/fd/fd.h).
// - file: who writes to a FIFO that nobody reads yet waits for that, within the
//   limits; who reads one waits in Read. Regular files are read and written by
//   plain calls (P3 does not hold for them). No file becomes the controlling
//   terminal.
// - stdio: borrows standard input and output.
// - pty: gives the master; Flow::peer() names the other side, "pty /dev/pts/5",
//   for whoever is to open it. Reads wait until then; Eof is when the last who
//   had it open has closed it.
// - exec: gives one flow to the command's standard input and output (SpawnFlow,
//   flow/net/subprocess.h). Closing it leaves the command to find that its
//   input has ended; its exit status is nobody's (Spawn tells it).
// - activate: takes over sockets that the program was started with
//   (flow/net/activation.h), so it works once for each name.
//
// Guarantees: any thread.

#ifndef FLOW_NET_OPEN_H_
#define FLOW_NET_OPEN_H_

#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/address.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/schemes.h"

namespace flow {

// How an address is opened.
struct OpenOptions {
  // What the program has added to the grammar; must outlive the call.
  const Schemes* schemes = nullptr;
  // For what dials and what listens. `net.sys` makes the system calls of the
  // other schemes, too.
  NetOptions net;
  ListenOptions listen;

  // "net=(attempt_delay=1s)": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const OpenOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const OpenOptions& options) {
    return os << options.ToString();
  }
};

// A flow to `address`, within `limits`. INVALID_ARGUMENT: it is none, or it
// listens. Other errors as of Dial, of open(2), or of the scheme. On every
// error nothing is left open.
[[nodiscard]] absl::StatusOr<Flow> Open(absl::string_view address,
                                        const Limits& limits = {},
                                        const OpenOptions& options = {});
[[nodiscard]] absl::StatusOr<Flow> Open(const Address& address,
                                        const Limits& limits = {},
                                        const OpenOptions& options = {});

// What OpenListener gives.
struct OpenedListener {
  // Accepts connections as they come, without the scheme's part.
  Listener listener;
  // Makes a flow of the scheme out of one that `listener` has accepted. Never
  // empty: it hands plain connections through. May be copied, and called by any
  // number of threads.
  FlowUpgrade upgrade;
  // Where it listens, as Open would be told: "tls:127.0.0.1:34567".
  std::string address;

  // Both in turn, for who wants one connection only. A client that fails in
  // `upgrade` is the answer.
  [[nodiscard]] absl::StatusOr<Flow> Accept(const Limits& limits = {});

  // "tls:127.0.0.1:34567".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const OpenedListener& opened) {
    sink.Append(opened.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const OpenedListener& opened) {
    return os << opened.ToString();
  }
};

// Listens on `address`: a scheme that listens, or tcp:, unix: or tls:, say, as
// Listen takes them. INVALID_ARGUMENT: it is none, or can't be listened on.
// Other errors as of Listen.
[[nodiscard]] absl::StatusOr<OpenedListener> OpenListener(
    absl::string_view address, const OpenOptions& options = {});
[[nodiscard]] absl::StatusOr<OpenedListener> OpenListener(
    const Address& address, const OpenOptions& options = {});

}  // namespace flow

#endif  // FLOW_NET_OPEN_H_
