// File: serve.h
//
// Server: a thread for each connection, bounded in number and in time. Also
// known as an accept loop.
//
//   absl::StatusOr<flow::Listener> listener = flow::Listen("tcp:127.0.0.1:0");
//   flow::ServeOptions options;
//   options.idle_limit = absl::Seconds(60);
//   absl::StatusOr<flow::Server> server = flow::Server::Start(
//       *std::move(listener),
//       [](flow::Flow& f, const flow::CancelToken& cut) -> absl::Status {
//         auto line = f.Read(cut);
//         ...
//       },
//       options);
//   ...
//   absl::Status ended = server->Stop(absl::Seconds(10));
//
// A handler runs in its connection's thread, several at once; its callable is
// called as const. It has the flow for as long as it runs:
//
// - OK: the flow, if still open, is closed in order (ServeOptions::linger); one
//   whose last Write was cut in the middle ("sealed") is aborted, so that its
//   peer does not take the piece for the whole.
// - an error, or an exception: the flow is aborted. That costs this connection,
//   never the server. (To send an error message, do so and return OK.)
// - It may move the flow away, for good: nobody looks after that flow once the
//   handler has returned. Layers such as TLS are put on it by
//   ServeOptions::prepare, or with ServerConnection::Take and Replace.
//
// Being cut (a limit, or Stop's deadline) means: the token fires, so that calls
// with it end, DEADLINE_EXCEEDED for a limit, CANCELLED for Stop; and
// `cut_grace` later the flow is aborted, so that calls without it end too. A
// handler that waits for something else altogether can't be helped: it keeps
// its place, and Stop waits for it.
//
// Shortages cost no client (P11): without descriptors, memory or threads to be
// had, clients wait in the kernel's queue, and are asked for again several
// times a second.
//
// Stop: no connection is accepted any more (clients in the kernel's queue are
// reset); all handlers are asked to finish (stopping(), end_reads_at_stop);
// those that have not at the deadline are cut; all are waited for. May be
// called from any thread, several times: the earliest deadline counts. From a
// handler of the same server it only begins: it can't wait for itself.
//
// Threads: one accepts, one keeps limits if there are any, the rest serve; all
// signals are blocked in them, so that the user's threads get them. A thread or
// a program that a handler starts has them blocked, too, unless it unblocks
// them (flow::Spawn does, for its children).
//
// In a forked child a Server may only be destroyed, which closes its listener
// and its connections there, and nobody notices. (Not one whose `prepare` is
// under way, or that was taken, or about which the server was just busy when
// the process forked: that stays open until exec or exit.)
//
// Guarantees: every method may be called from any thread; destroying or moving
// must not race with calls that begin. What a handler did is visible after the
// Stop or Wait that has waited for it.

#ifndef FLOW_NET_SERVE_H_
#define FLOW_NET_SERVE_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/listener.h"
#include "flow/net/serve_options.h"
#include "flow/sys/mono_time.h"

namespace flow {

namespace internal {
class Served;
class ServerCore;
}  // namespace internal

// A connection, as its handler sees it. Lives as long as the handler runs.
class ServerConnection {
 public:
  // By the server alone.
  explicit ServerConnection(internal::Served* served) : served_(served) {}
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // The connection itself.
  Flow& flow() const;

  // Fires when the connection is cut. For every call that the handler makes.
  const CancelToken& cut() const;
  // Fires when the server is asked to stop: to be looked at between requests.
  // A handler that waits for the next request with it goes on with another
  // token when it has got one.
  const CancelToken& stopping() const;

  // 1, 2, 3, ... in the order of accepting.
  uint64_t id() const;

  // For a layer in the middle (STARTTLS): Take gives the flow away, which the
  // limits watch no more (the token still fires); Replace makes `flow` the
  // connection's, and the one that they watch. A flow that was not taken is
  // watched and can't be taken apart: ReleaseTransport, and with it TlsAccept,
  // answers FAILED_PRECONDITION.
  Flow Take();
  void Replace(Flow flow);

  // "connection 3: flow tcp 127.0.0.1:80 -> ...".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ServerConnection& connection) {
    sink.Append(connection.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ServerConnection& connection) {
    return os << connection.ToString();
  }

 private:
  internal::Served* const served_;
};

// What a connection gets, in a thread of its own: its flow, and the token that
// fires when it is cut. Called by several threads at once. An error, as an
// exception, is counted and told to ServeOptions::on_failure.
using ServeHandler =
    absl::AnyInvocable<absl::Status(Flow& flow, const CancelToken& cut) const>;
// The same for who wants more of the connection than its flow.
using ConnectionHandler =
    absl::AnyInvocable<absl::Status(ServerConnection& connection) const>;

class Server {
 public:
  // Serves in the background from now on. INVALID_ARGUMENT: no handler, or an
  // option that makes no sense; FAILED_PRECONDITION: the listener is closed;
  // RESOURCE_EXHAUSTED: no thread to be had. On an error the listener is
  // closed.
  [[nodiscard]] static absl::StatusOr<Server> Start(Listener listener,
                                                    ServeHandler handler,
                                                    ServeOptions options = {});
  [[nodiscard]] static absl::StatusOr<Server> Start(Listener listener,
                                                    ConnectionHandler handler,
                                                    ServeOptions options = {});

  // No server: it has stopped.
  Server() = default;
  Server(Server&&) noexcept = default;
  Server& operator=(Server&& other) noexcept;
  // Stop, with a deadline that has passed. From a handler of this server it
  // waits for nobody: what is left ends by itself.
  ~Server();

  // Ends the server, as told above, and waits until it has ended. `drain`: how
  // long handlers may take to finish (ServeOptions::drain if not given). OK:
  // all of them did. DEADLINE_EXCEEDED: some had to be cut. What Wait says, if
  // the listener had failed before. Later calls return the same. From a handler
  // of this server: OK at once; it has begun.
  absl::Status Stop();
  absl::Status Stop(MonoTime drained_by);
  absl::Status Stop(absl::Time drained_by) {
    return Stop(MonoTime::At(drained_by));
  }
  absl::Status Stop(absl::Duration drain) { return Stop(MonoTime::In(drain)); }

  // Waits until the server has ended: by a Stop, by ServeOptions::stop, or
  // because the listener failed, which is then the status; handlers are drained
  // as by Stop(). Else as Stop. DEADLINE_EXCEEDED or CANCELLED by `limits`: it
  // goes on (`ended`). FAILED_PRECONDITION from a handler of this server.
  [[nodiscard]] absl::Status Wait(const Limits& limits = {});
  bool ended() const;

  // Where it listens: Listener::address, port.
  std::string address() const;
  uint16_t port() const;

  // Never blocks for long.
  ServeStats GetStats() const;

  // "server tcp:127.0.0.1:34567, 3 active (at most 7), ...".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Server& server) {
    sink.Append(server.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Server& server) {
    return os << server.ToString();
  }

 private:
  explicit Server(std::shared_ptr<internal::ServerCore> core);
  void End();

  std::shared_ptr<internal::ServerCore> core_;
};

// Serves until ServeOptions::stop or a failure of the listener: Start and Wait.
[[nodiscard]] absl::Status Serve(Listener listener, ServeHandler handler,
                                 ServeOptions options = {});
[[nodiscard]] absl::Status Serve(Listener listener, ConnectionHandler handler,
                                 ServeOptions options = {});

}  // namespace flow

#endif  // FLOW_NET_SERVE_H_
