// File: async_flow.h
//
// AsyncFlow: the same flow with operations that don't block: futures, and
// callbacks.
//
//   flow::ThreadPool pool(2);
//   flow::AsyncContext context(pool);
//   absl::StatusOr<flow::AsyncFlow> f =
//       flow::AsyncFlow::From(std::move(flow), context);
//   std::future<absl::Status> sent = f->Write("hello");
//   f->Read(absl::Seconds(5), [](auto got) { ... });
//
// The contract is that of flow/flow.h, table and all: both stand on one state
// machine. An operation is tried at once; if it would block it is parked with
// the context's poller, not on a thread, so ten thousand outstanding reads need
// no more threads than one.
//
// - Order: per flow and direction first in, first out. Shutdown(kWrite) waits
//   behind earlier writes; Shutdown(kRead), Close and Abort never queue.
// - Limits run from submission; time in the queue counts.
// - Writes own what they are given. ReadInto's memory is the caller's, and has
//   to stay valid until the future is ready or the callback is called.
// - Every future becomes ready exactly once, with a status; its destructor does
//   not block, and dropping it cancels nothing (a CancelToken does).
// - Callbacks are called exactly once, through the context's Executor, never on
//   the stack of the caller of AsyncFlow (unless there is nobody else to call
//   them: no flow, a context that has been destroyed, a forked child). What
//   they throw is contained and counted (Executor::exceptions). They may
//   destroy the flow, the context, and after that the pool.
// - The destructor is Close without waiting; outstanding operations end with
//   CANCELLED.
//
// Every method may be called from any thread at any time; only destroying,
// moving and releasing the AsyncFlow must not race with calls that begin.
// Descriptors whose tries may block on a disk (regular files) are tried on the
// executor.

#ifndef FLOW_ASYNC_FLOW_H_
#define FLOW_ASYNC_FLOW_H_

#include <cstddef>
#include <future>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/types/span.h"
#include "flow/async_context.h"
#include "flow/buffer.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/stats.h"
#include "flow/transport.h"

namespace flow {

namespace internal {
class AsyncCore;
class AsyncHome;
struct AsyncAccess;
}  // namespace internal

class AsyncFlow {
 public:
  // What a callback is, and what it or a future is given.
  template <typename Result>
  using Callback = absl::AnyInvocable<void(Result) &&>;
  using ReadResult = absl::StatusOr<OrEof<Buffer>>;
  using ReadIntoResult = absl::StatusOr<OrEof<size_t>>;
  using WriteSomeResult = absl::StatusOr<size_t>;
  using PeerEndResult = absl::StatusOr<PeerEnd>;

  // Takes the flow over, with everything that has ended on it.
  // FAILED_PRECONDITION, and `flow` stays as it is, while a call is under way
  // on it in another thread, or if the context has no poller (no thread to be
  // had, a forked child). The context need not outlive the AsyncFlow; both must
  // have the same clock (Syscalls).
  [[nodiscard]] static absl::StatusOr<AsyncFlow> From(Flow&& flow,
                                                      AsyncContext& context);

  // No flow: every operation answers *closed locally*, Close OK.
  AsyncFlow();
  AsyncFlow(AsyncFlow&& other) noexcept;
  AsyncFlow& operator=(AsyncFlow&& other) noexcept;
  AsyncFlow(const AsyncFlow&) = delete;
  AsyncFlow& operator=(const AsyncFlow&) = delete;
  ~AsyncFlow();

  // Back to blocking calls, with everything that has ended.
  // FAILED_PRECONDITION, and this stays as it is, while operations are
  // outstanding: those whose future is not ready, whose callback has not been
  // handed to the executor.
  [[nodiscard]] absl::StatusOr<Flow> Release();

  // See Flow for what each does. The first form gives a future, the second
  // calls back.
  [[nodiscard]] std::future<ReadResult> Read(const Limits& limits = {});
  void Read(const Limits& limits, Callback<ReadResult> done);

  // As Flow::ReadInto; `into` has to stay until it is done.
  [[nodiscard]] std::future<ReadIntoResult> ReadInto(absl::Span<char> into,
                                                     const Limits& limits = {});
  void ReadInto(absl::Span<char> into, const Limits& limits,
                Callback<ReadIntoResult> done);

  // As Flow::Write, of bytes that it then owns.
  [[nodiscard]] std::future<absl::Status> Write(std::string bytes,
                                                const Limits& limits = {});
  [[nodiscard]] std::future<absl::Status> Write(absl::Cord bytes,
                                                const Limits& limits = {});
  [[nodiscard]] std::future<absl::Status> Write(Buffer bytes,
                                                const Limits& limits = {});
  void Write(std::string bytes, const Limits& limits,
             Callback<absl::Status> done);
  void Write(absl::Cord bytes, const Limits& limits,
             Callback<absl::Status> done);
  void Write(Buffer bytes, const Limits& limits, Callback<absl::Status> done);

  // As Flow::Writev.
  [[nodiscard]] std::future<absl::Status> Writev(
      std::vector<std::string> pieces, const Limits& limits = {});
  void Writev(std::vector<std::string> pieces, const Limits& limits,
              Callback<absl::Status> done);

  // How many of `bytes`, from the first on, were taken in one step.
  [[nodiscard]] std::future<WriteSomeResult> WriteSome(
      std::string bytes, const Limits& limits = {});
  void WriteSome(std::string bytes, const Limits& limits,
                 Callback<WriteSomeResult> done);

  // As Flow::Shutdown.
  [[nodiscard]] std::future<absl::Status> Shutdown(ShutdownMode mode,
                                                   const Limits& limits = {});
  void Shutdown(ShutdownMode mode, const Limits& limits,
                Callback<absl::Status> done);

  // As Flow::CloseGracefully.
  [[nodiscard]] std::future<absl::Status> CloseGracefully(const Limits& limits);
  void CloseGracefully(const Limits& limits, Callback<absl::Status> done);

  // Close's future need not be looked at: the flow closes all the same.
  std::future<absl::Status> Close();
  void Close(Callback<absl::Status> done);
  std::future<absl::Status> Abort();
  void Abort(Callback<absl::Status> done);

  // As Flow::WaitPeerEnd.
  [[nodiscard]] std::future<PeerEndResult> WaitPeerEnd(
      PeerEnd at_least, const Limits& limits = {});
  void WaitPeerEnd(PeerEnd at_least, const Limits& limits,
                   Callback<PeerEndResult> done);

  // What it is, as of Flow. Never blocks.
  explicit operator bool() const { return core_ != nullptr; }
  Endpoint local() const;
  Endpoint peer() const;
  Stats GetStats() const;
  void Observe(std::shared_ptr<FlowObserver> observer) const;
  bool abort_is_visible() const;
  bool ends_are_visible() const;
  int native_handle() const;

  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const AsyncFlow& flow) {
    sink.Append(flow.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const AsyncFlow& flow) {
    return os << flow.ToString();
  }

 private:
  friend struct internal::AsyncAccess;

  explicit AsyncFlow(std::shared_ptr<internal::AsyncCore> core);
  // `flow` is one, and nobody uses it.
  static AsyncFlow At(Flow&& flow, const internal::AsyncHome& home);

  std::shared_ptr<internal::AsyncCore> core_;
};

}  // namespace flow

#endif  // FLOW_ASYNC_FLOW_H_
