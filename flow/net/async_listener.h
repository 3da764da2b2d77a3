// File: async_listener.h
//
// AsyncListener: the same listener with Accepts that don't block: futures, and
// callbacks.
//
//   absl::StatusOr<flow::Listener> listener = flow::Listen("tcp:127.0.0.1:0");
//   if (!listener.ok()) return listener.status();
//   auto async = flow::AsyncListener::From(*std::move(listener), context);
//   async->Accept({}, [](absl::StatusOr<flow::AsyncFlow> client) { ... });
//
// Everything that flow/net/listener.h says holds: a listener is a flow of
// connections under one state machine, whoever waits. An Accept for which
// nobody has come is parked with the context's poller; it holds no thread, also
// while fds or memory are short.
//
// - Order: first come, first served. Limits run from the call.
// - Close, the destructor, a token and the end of the context end outstanding
//   Accepts with CANCELLED; what had been accepted is delivered, never lost.
// - Every future becomes ready exactly once; dropping one cancels nothing, and
//   a connection that nobody takes is closed. Callbacks are called exactly
//   once, through the context's Executor, as flow/async_flow.h says.
//
// Guarantees: every method may be called from any thread at any time;
// destroying, moving and releasing must not race with calls that begin.

#ifndef FLOW_NET_ASYNC_LISTENER_H_
#define FLOW_NET_ASYNC_LISTENER_H_

#include <cstdint>
#include <future>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/limits.h"
#include "flow/net/listener.h"

namespace flow {

class AsyncListener {
 public:
  // What an Accept gives.
  using AcceptResult = absl::StatusOr<AsyncFlow>;

  // Takes the listener over. FAILED_PRECONDITION, and `listener` stays as it
  // is, while an Accept is under way on it in another thread, or if the context
  // has no poller (no thread to be had, a forked child). The context need not
  // outlive the AsyncListener; both must have the same clock (Syscalls).
  [[nodiscard]] static absl::StatusOr<AsyncListener> From(
      Listener&& listener, AsyncContext& context);

  // No listener: Accept answers *closed locally*, Close OK.
  AsyncListener() = default;

  AsyncListener(AsyncListener&&) noexcept = default;
  AsyncListener& operator=(AsyncListener&&) noexcept = default;
  // Close without waiting.
  ~AsyncListener() = default;

  // Back to Accepts that block. FAILED_PRECONDITION, and this stays as it is,
  // while operations are outstanding.
  [[nodiscard]] absl::StatusOr<Listener> Release();

  // The next connection, on the listener's context. Errors as of
  // Listener::Accept; FAILED_PRECONDITION also once the context has been
  // destroyed.
  [[nodiscard]] std::future<AcceptResult> Accept(const Limits& limits = {});
  void Accept(const Limits& limits, AsyncFlow::Callback<AcceptResult> done);

  // See Listener. The future need not be looked at: it closes all the same.
  std::future<absl::Status> Close() { return flow_.Close(); }
  void Close(AsyncFlow::Callback<absl::Status> done) {
    flow_.Close(std::move(done));
  }

  // As Listener's: where it listens, what it has done, its descriptor.
  std::string address() const;
  std::vector<std::string> addresses() const;
  uint16_t port() const;
  ListenerStats GetStats() const;
  int native_handle() const { return flow_.native_handle(); }

  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const AsyncListener& listener) {
    sink.Append(listener.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const AsyncListener& listener) {
    return os << listener.ToString();
  }

 private:
  AsyncFlow flow_;  // of connections (flow/net/acceptor.h)
  std::shared_ptr<const internal::ListenerFacts> facts_;
};

}  // namespace flow

#endif  // FLOW_NET_ASYNC_LISTENER_H_
