#include "flow/async_flow.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/async_jobs.h"
#include "flow/async_op.h"
#include "flow/core.h"
#include "flow/poller.h"
#include "flow/reading.h"
#include "flow/shutting.h"
#include "flow/status.h"
#include "flow/writing.h"

namespace flow {
namespace {

using internal::AsyncClose;
using internal::AsyncCore;
using internal::AsyncDrain;
using internal::AsyncRead;
using internal::AsyncReadInto;
using internal::AsyncShutdown;
using internal::AsyncWrite;
using internal::Core;
using internal::OwnedBytes;
using internal::Sink;

absl::Status NoFlow(absl::string_view operation) {
  return internal::ClosedLocallyStatus(
      operation, "no flow (default-constructed, moved from or released)",
      /*pending=*/false, 0);
}

// A sink that makes `future` ready.
template <typename Result>
Sink<Result> Promise(std::future<Result>& future) {
  std::promise<Result> promise;
  future = promise.get_future();
  return [promise = std::move(promise)](Result result) mutable {
    promise.set_value(std::move(result));
  };
}

// A sink that calls `done` through the executor of `flow`; without a flow there
// is none, and it is called here.
template <typename Result>
Sink<Result> ToCallback(const std::shared_ptr<AsyncCore>& flow,
                        AsyncFlow::Callback<Result> done) {
  if (flow == nullptr) return done;
  return [flow, done = std::move(done)](Result result) mutable {
    flow->RunCallback([done = std::move(done),
                       result = std::move(result)](absl::Status why) mutable {
      if (!why.ok()) result = std::move(why);
      std::move(done)(std::move(result));
    });
  };
}

void DoRead(const std::shared_ptr<AsyncCore>& flow, const Limits& limits,
            Sink<AsyncFlow::ReadResult> sink) {
  if (flow == nullptr) return std::move(sink)(NoFlow("read"));
  flow->Submit(std::make_unique<AsyncRead>(flow, limits, std::move(sink)));
}

void DoReadInto(const std::shared_ptr<AsyncCore>& flow, absl::Span<char> into,
                const Limits& limits, Sink<AsyncFlow::ReadIntoResult> sink) {
  if (flow == nullptr) return std::move(sink)(NoFlow("read"));
  // Nothing to wait for: the blocking form answers at once, also with what is
  // wrong about `into`.
  const bool bad = into.data() == nullptr ||
                   into.size() > std::numeric_limits<ssize_t>::max();
  if (absl::Status refusal = flow->Refusal(); !refusal.ok()) {
    return std::move(sink)(refusal);
  }
  if (into.empty() || bad) {
    return std::move(sink)(
        internal::LookForRead(flow->core(), into.size(), limits));
  }
  flow->Submit(
      std::make_unique<AsyncReadInto>(flow, into, limits, std::move(sink)));
}

void DoWrite(const std::shared_ptr<AsyncCore>& flow,
             std::unique_ptr<OwnedBytes> bytes, const Limits& limits,
             Sink<absl::Status> sink) {
  if (flow == nullptr) return std::move(sink)(NoFlow("write"));
  if (absl::Status refusal = flow->Refusal(); !refusal.ok()) {
    return std::move(sink)(refusal);
  }
  if (bytes->size() == 0) {
    return std::move(sink)(internal::WriteNothing(flow->core(), limits));
  }
  flow->Submit(std::make_unique<AsyncWrite>(flow, std::move(bytes), limits,
                                            std::move(sink)));
}

std::unique_ptr<OwnedBytes> Own(std::vector<std::string> strings) {
  auto bytes = std::make_unique<OwnedBytes>();
  bytes->strings = std::move(strings);
  bytes->ViewStrings();
  return bytes;
}

std::unique_ptr<OwnedBytes> Own(std::string string) {
  auto bytes = std::make_unique<OwnedBytes>();
  bytes->strings.push_back(std::move(string));
  bytes->ViewStrings();
  return bytes;
}

std::unique_ptr<OwnedBytes> Own(absl::Cord cord) {
  auto bytes = std::make_unique<OwnedBytes>();
  bytes->cord = std::move(cord);
  return bytes;
}

std::unique_ptr<OwnedBytes> Own(Buffer buffer) {
  auto bytes = std::make_unique<OwnedBytes>();
  bytes->buffer = std::move(buffer);
  bytes->views.push_back(bytes->buffer.view());
  return bytes;
}

// What a Shutdown does last: a layer whose both sides are shut closes the flow
// below, in order.
void CloseBelowThen(const std::shared_ptr<AsyncCore>& flow,
                    const Limits& limits, absl::Status status,
                    Sink<absl::Status> sink) {
  Core& core = flow->core();
  if (!core.is_layer() || !core.state().BothSidesEnded()) {
    return std::move(sink)(std::move(status));
  }
  Sink<absl::Status> then = [flow, status,
                             sink = std::move(sink)](absl::Status) mutable {
    internal::RetireLayer(flow->core());
    std::move(sink)(std::move(status));
  };
  if (core.state().read_end() != ReadEnd::kOpen) {
    return std::move(then)(absl::OkStatus());
  }
  flow->Submit(std::make_unique<AsyncDrain>(
      flow, /*below=*/true, internal::kBelowBytes,
      limits.Within(core.sys()->Now() + internal::kBelowWait),
      std::move(then)));
}

void DoShutdown(const std::shared_ptr<AsyncCore>& flow, ShutdownMode mode,
                const Limits& limits, Sink<absl::Status> sink) {
  if (flow == nullptr) return std::move(sink)(absl::OkStatus());
  if (absl::Status refusal = flow->Refusal(); !refusal.ok()) {
    return std::move(sink)(refusal);
  }
  if (mode != ShutdownMode::kWrite) flow->core().ShutRead();
  Sink<absl::Status> then =
      [flow, limits, sink = std::move(sink)](absl::Status status) mutable {
        CloseBelowThen(flow, limits, std::move(status), std::move(sink));
      };
  if (mode == ShutdownMode::kRead) return std::move(then)(absl::OkStatus());
  flow->Submit(std::make_unique<AsyncShutdown>(flow, limits, std::move(then)));
}

void DoClose(const std::shared_ptr<AsyncCore>& flow, bool abort,
             Sink<absl::Status> sink) {
  if (flow == nullptr) return std::move(sink)(absl::OkStatus());
  AsyncClose::Start(flow, abort, std::move(sink));
}

void DoCloseGracefully(const std::shared_ptr<AsyncCore>& flow,
                       const Limits& limits, Sink<absl::Status> sink) {
  if (flow == nullptr) return std::move(sink)(absl::OkStatus());
  // Shutdown(kWrite), then drain, then Close; the first error is the result.
  Sink<absl::Status> close =
      [flow, sink = std::move(sink)](absl::Status so_far) mutable {
        DoClose(flow, /*abort=*/false,
                [so_far = std::move(so_far),
                 sink = std::move(sink)](absl::Status closed) mutable {
                  std::move(sink)(so_far.ok() ? std::move(closed)
                                              : std::move(so_far));
                });
      };
  flow->Submit(std::make_unique<AsyncShutdown>(
      flow, limits,
      [flow, limits, close = std::move(close)](absl::Status status) mutable {
        if (!status.ok() || !flow->core().Linger()) {
          return std::move(close)(std::move(status));
        }
        flow->Submit(std::make_unique<AsyncDrain>(
            flow, /*below=*/false, std::numeric_limits<uint64_t>::max(), limits,
            std::move(close)));
      }));
}

}  // namespace

// ------------------------------------------------------------------ the handle

absl::StatusOr<AsyncFlow> AsyncFlow::From(Flow&& flow, AsyncContext& context) {
  if (flow.core_ == nullptr) return NoFlow("async_from");
  const bool dead =
      context.poller()->in_forked_child() || context.poller()->stopping();
  if (dead || flow.core_->state().inside() > 0) {
    return MakeStatus(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat("async_from() refused: ",
                     dead ? "the context has no poller (no thread to be had, "
                            "or a forked child)"
                          : "a call is under way",
                     "; ", flow.core_->Describe()),
        {});
  }
  return AsyncFlow(
      std::make_shared<AsyncCore>(std::exchange(flow.core_, nullptr),
                                  context.poller(), &context.executor()));
}

AsyncFlow::AsyncFlow() = default;
AsyncFlow::AsyncFlow(std::shared_ptr<internal::AsyncCore> core)
    : core_(std::move(core)) {}
AsyncFlow::AsyncFlow(AsyncFlow&& other) noexcept = default;

AsyncFlow& AsyncFlow::operator=(AsyncFlow&& other) noexcept {
  if (this == &other) return *this;
  const AsyncFlow old(std::move(*this));
  core_ = std::move(other.core_);
  return *this;
}

AsyncFlow::~AsyncFlow() {
  // The operations keep the rest alive until they have ended.
  if (core_ != nullptr && !core_->poller().in_forked_child()) {
    core_->core().StartClose(/*abort=*/false);
  }
}

absl::StatusOr<Flow> AsyncFlow::Release() {
  if (core_ == nullptr) return NoFlow("async_release");
  Core* const core = core_->Release();
  if (core == nullptr) {
    return MakeStatus(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat("async_release() refused: operations are outstanding; ",
                     core_->core().Describe()),
        {});
  }
  core_.reset();
  Flow flow;
  flow.core_ = core;
  return flow;
}

// -------------------------------------------------------------- the operations

std::future<AsyncFlow::ReadResult> AsyncFlow::Read(const Limits& limits) {
  std::future<ReadResult> future;
  DoRead(core_, limits, Promise(future));
  return future;
}

void AsyncFlow::Read(const Limits& limits, Callback<ReadResult> done) {
  DoRead(core_, limits, ToCallback(core_, std::move(done)));
}

std::future<AsyncFlow::ReadIntoResult> AsyncFlow::ReadInto(
    absl::Span<char> into, const Limits& limits) {
  std::future<ReadIntoResult> future;
  DoReadInto(core_, into, limits, Promise(future));
  return future;
}

void AsyncFlow::ReadInto(absl::Span<char> into, const Limits& limits,
                         Callback<ReadIntoResult> done) {
  DoReadInto(core_, into, limits, ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Write(std::string bytes,
                                           const Limits& limits) {
  std::future<absl::Status> future;
  DoWrite(core_, Own(std::move(bytes)), limits, Promise(future));
  return future;
}

std::future<absl::Status> AsyncFlow::Write(absl::Cord bytes,
                                           const Limits& limits) {
  std::future<absl::Status> future;
  DoWrite(core_, Own(std::move(bytes)), limits, Promise(future));
  return future;
}

std::future<absl::Status> AsyncFlow::Write(Buffer bytes, const Limits& limits) {
  std::future<absl::Status> future;
  DoWrite(core_, Own(std::move(bytes)), limits, Promise(future));
  return future;
}

void AsyncFlow::Write(std::string bytes, const Limits& limits,
                      Callback<absl::Status> done) {
  DoWrite(core_, Own(std::move(bytes)), limits,
          ToCallback(core_, std::move(done)));
}

void AsyncFlow::Write(absl::Cord bytes, const Limits& limits,
                      Callback<absl::Status> done) {
  DoWrite(core_, Own(std::move(bytes)), limits,
          ToCallback(core_, std::move(done)));
}

void AsyncFlow::Write(Buffer bytes, const Limits& limits,
                      Callback<absl::Status> done) {
  DoWrite(core_, Own(std::move(bytes)), limits,
          ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Writev(std::vector<std::string> pieces,
                                            const Limits& limits) {
  std::future<absl::Status> future;
  DoWrite(core_, Own(std::move(pieces)), limits, Promise(future));
  return future;
}

void AsyncFlow::Writev(std::vector<std::string> pieces, const Limits& limits,
                       Callback<absl::Status> done) {
  DoWrite(core_, Own(std::move(pieces)), limits,
          ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Shutdown(ShutdownMode mode,
                                              const Limits& limits) {
  std::future<absl::Status> future;
  DoShutdown(core_, mode, limits, Promise(future));
  return future;
}

void AsyncFlow::Shutdown(ShutdownMode mode, const Limits& limits,
                         Callback<absl::Status> done) {
  DoShutdown(core_, mode, limits, ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::CloseGracefully(const Limits& limits) {
  std::future<absl::Status> future;
  DoCloseGracefully(core_, limits, Promise(future));
  return future;
}

void AsyncFlow::CloseGracefully(const Limits& limits,
                                Callback<absl::Status> done) {
  DoCloseGracefully(core_, limits, ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Close() {
  std::future<absl::Status> future;
  DoClose(core_, /*abort=*/false, Promise(future));
  return future;
}

void AsyncFlow::Close(Callback<absl::Status> done) {
  DoClose(core_, /*abort=*/false, ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Abort() {
  std::future<absl::Status> future;
  DoClose(core_, /*abort=*/true, Promise(future));
  return future;
}

void AsyncFlow::Abort(Callback<absl::Status> done) {
  DoClose(core_, /*abort=*/true, ToCallback(core_, std::move(done)));
}

Endpoint AsyncFlow::local() const {
  return core_ == nullptr ? Endpoint() : core_->core().local();
}
Endpoint AsyncFlow::peer() const {
  return core_ == nullptr ? Endpoint() : core_->core().peer();
}
Stats AsyncFlow::GetStats() const {
  return core_ == nullptr ? Stats() : core_->core().GetStats();
}
bool AsyncFlow::abort_is_visible() const {
  return core_ != nullptr && core_->core().abort_is_visible();
}
bool AsyncFlow::ends_are_visible() const {
  return core_ != nullptr && core_->core().ends_are_visible();
}
int AsyncFlow::native_handle() const {
  return core_ == nullptr ? -1 : core_->core().NativeHandle();
}
std::string AsyncFlow::ToString() const {
  return core_ == nullptr ? "no flow" : core_->core().ToString();
}

}  // namespace flow
