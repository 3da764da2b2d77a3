// File: serve_options.h
//
// What a server of flow/net/serve.h is told, and what it tells.

#ifndef FLOW_NET_SERVE_OPTIONS_H_
#define FLOW_NET_SERVE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/listener.h"
#include "flow/sys/syscalls.h"

namespace flow {

// How a Server serves.
struct ServeOptions {
  // How many connections are served at once, each by a thread of its own. Those
  // beyond wait in the kernel's queue (ListenOptions::backlog), not accepted.
  int max_connections = 1000;

  // ---- When a connection is cut, whatever its handler does. A client that
  // sends a byte now and then to keep its place ("slowloris") is cut off by the
  // first, and by the second if that asks for more bytes.

  // How long it may last, from accept to the handler's end.
  absl::Duration total_limit = absl::InfiniteDuration();
  // How long it may be idle: fewer than `idle_bytes` have moved, both ways
  // together, also while the handler is busy with something else. Looked at
  // eight times in that long, so the cut comes that much late, never early.
  absl::Duration idle_limit = absl::InfiniteDuration();
  uint64_t idle_bytes = 1;
  // How long a handler that looks at its token has to say good-bye, before its
  // flow is aborted.
  absl::Duration cut_grace = absl::Milliseconds(50);

  // ---- How it ends.

  // Cancelled, or past its deadline: like Stop().
  CancelToken stop;
  // How long handlers may take to finish after Stop().
  absl::Duration drain = absl::Seconds(5);
  // Stop shuts the read sides of all connections, so that handlers which read
  // up to the end need not look at stopping(): Read says Eof, at once. What the
  // client sends from then on is lost.
  bool end_reads_at_stop = false;

  // How long the peer's end is waited for when a handler has returned OK and
  // left its flow open (Flow::CloseGracefully), in its thread and its place.
  // 0: not at all.
  absl::Duration linger = absl::Seconds(1);

  // ---- The rest.

  // Runs before the handler, in the connection's thread, so that a client that
  // dawdles over a handshake is in nobody's way: makes the flow that the
  // handler gets, and that the limits watch, of the one that was accepted; on
  // an error that one is its own to end, and by default closed. For TLS:
  // [tls](Flow f, const Limits& l) -> absl::StatusOr<Flow> {
  //   absl::StatusOr<TlsFlow> made = TlsAccept(std::move(f), tls, l);
  //   if (!made.ok()) return made.status();
  //   return std::move(made->flow);
  // }
  std::function<absl::StatusOr<Flow>(Flow accepted, const Limits& limits)>
      prepare;
  // Told of every connection that did not complete (ServeStats), and why; in
  // its thread, so perhaps several times at once. What it throws is dropped.
  std::function<void(const Endpoint& peer, const absl::Status& why)> on_failure;
  // How long a thread waits for another connection before it ends. 0: every
  // connection gets a new one.
  absl::Duration thread_linger = absl::Seconds(1);
  // Makes threads and tells the time; null is the real kernel. Must outlive the
  // server.
  Syscalls* sys = nullptr;

  // "max_connections=10, drain=1s": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ServeOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ServeOptions& options) {
    return os << options.ToString();
  }
};

// Counters since the start. Each connection that was accepted is `active` or
// has ended in exactly one of six ways.
struct ServeStats {
  uint64_t accepted = 0;         // connections
  uint64_t completed = 0;        // the handler returned OK
  uint64_t failed = 0;           // the handler, or `prepare`, returned an error
  uint64_t threw = 0;            // an exception came out of one of them
  uint64_t cut_total = 0;        // by total_limit
  uint64_t cut_idle = 0;         // by idle_limit
  uint64_t cut_drain = 0;        // by Stop's deadline
  int active = 0;                // being served now
  int max_active = 0;            // the most that there were at once
  int threads = 0;               // of connections, those that wait for one too
  uint64_t thread_failures = 0;  // the system had no thread to give: waited out
  ListenerStats listener;        // of the listener that it serves

  // "3 active (at most 7), 40 accepted, 35 completed, 1 failed, 0 threw, cut:
  // 1 total, 0 idle, 0 drain, 4 threads, 0 thread failures, 0 shortages"
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ServeStats& stats) {
    sink.Append(stats.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const ServeStats& stats) {
    return os << stats.ToString();
  }
};

}  // namespace flow

#endif  // FLOW_NET_SERVE_OPTIONS_H_
