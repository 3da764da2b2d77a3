#include "flow/async_flow.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/async_calls.h"
#include "flow/async_home.h"
#include "flow/async_op.h"
#include "flow/async_sink.h"
#include "flow/core.h"
#include "flow/observer.h"
#include "flow/poller.h"
#include "flow/status.h"

namespace flow {
namespace {

using internal::AsyncCore;
using internal::AsyncHome;
using internal::NoFlowStatus;
using internal::Own;
using internal::Sink;
using internal::ToPromise;

template <typename Result>
Sink<Result> ToCallback(const std::shared_ptr<AsyncCore>& flow,
                        AsyncFlow::Callback<Result> done) {
  return flow == nullptr ? internal::ToCallbackHere(std::move(done))
                         : internal::ToCallback(flow->home(), std::move(done));
}

}  // namespace

// ------------------------------------------------------------------ the handle

absl::StatusOr<AsyncFlow> AsyncFlow::From(Flow&& flow, AsyncContext& context) {
  if (flow.core_ == nullptr) return NoFlowStatus("async_from");
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
  return At(std::move(flow), AsyncHome(context.poller(), context.way()));
}

AsyncFlow AsyncFlow::At(Flow&& flow, const AsyncHome& home) {
  return AsyncFlow(
      std::make_shared<AsyncCore>(std::exchange(flow.core_, nullptr), home));
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
  if (core_ == nullptr) return;
  if (core_->poller().in_forked_child()) {
    core_->CloseAfterFork();
  } else {
    // The operations keep the rest alive until they have ended.
    core_->core().StartClose(/*abort=*/false);
  }
}

absl::StatusOr<Flow> AsyncFlow::Release() {
  if (core_ == nullptr) return NoFlowStatus("async_release");
  if (core_->poller().in_forked_child()) return core_->Refusal();
  internal::Core* const core = core_->Release();
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
  internal::StartRead(core_, limits, ToPromise(future));
  return future;
}

void AsyncFlow::Read(const Limits& limits, Callback<ReadResult> done) {
  internal::StartRead(core_, limits, ToCallback(core_, std::move(done)));
}

std::future<AsyncFlow::ReadIntoResult> AsyncFlow::ReadInto(
    absl::Span<char> into, const Limits& limits) {
  std::future<ReadIntoResult> future;
  internal::StartReadInto(core_, into, limits, ToPromise(future));
  return future;
}

void AsyncFlow::ReadInto(absl::Span<char> into, const Limits& limits,
                         Callback<ReadIntoResult> done) {
  internal::StartReadInto(core_, into, limits,
                          ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Write(std::string bytes,
                                           const Limits& limits) {
  std::future<absl::Status> future;
  internal::StartWrite(core_, std::move(bytes), limits, ToPromise(future));
  return future;
}

std::future<absl::Status> AsyncFlow::Write(absl::Cord bytes,
                                           const Limits& limits) {
  std::future<absl::Status> future;
  internal::StartWrite(core_, Own(std::move(bytes)), limits, ToPromise(future));
  return future;
}

std::future<absl::Status> AsyncFlow::Write(Buffer bytes, const Limits& limits) {
  std::future<absl::Status> future;
  internal::StartWrite(core_, std::move(bytes), limits, ToPromise(future));
  return future;
}

void AsyncFlow::Write(std::string bytes, const Limits& limits,
                      Callback<absl::Status> done) {
  internal::StartWrite(core_, std::move(bytes), limits,
                       ToCallback(core_, std::move(done)));
}

void AsyncFlow::Write(absl::Cord bytes, const Limits& limits,
                      Callback<absl::Status> done) {
  internal::StartWrite(core_, Own(std::move(bytes)), limits,
                       ToCallback(core_, std::move(done)));
}

void AsyncFlow::Write(Buffer bytes, const Limits& limits,
                      Callback<absl::Status> done) {
  internal::StartWrite(core_, std::move(bytes), limits,
                       ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Writev(std::vector<std::string> pieces,
                                            const Limits& limits) {
  std::future<absl::Status> future;
  internal::StartWrite(core_, Own(std::move(pieces)), limits,
                       ToPromise(future));
  return future;
}

void AsyncFlow::Writev(std::vector<std::string> pieces, const Limits& limits,
                       Callback<absl::Status> done) {
  internal::StartWrite(core_, Own(std::move(pieces)), limits,
                       ToCallback(core_, std::move(done)));
}

std::future<AsyncFlow::WriteSomeResult> AsyncFlow::WriteSome(
    std::string bytes, const Limits& limits) {
  std::future<WriteSomeResult> future;
  internal::StartWriteSome(core_, std::move(bytes), limits, ToPromise(future));
  return future;
}

void AsyncFlow::WriteSome(std::string bytes, const Limits& limits,
                          Callback<WriteSomeResult> done) {
  internal::StartWriteSome(core_, std::move(bytes), limits,
                           ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Shutdown(ShutdownMode mode,
                                              const Limits& limits) {
  std::future<absl::Status> future;
  internal::StartShutdown(core_, mode, limits, ToPromise(future));
  return future;
}

void AsyncFlow::Shutdown(ShutdownMode mode, const Limits& limits,
                         Callback<absl::Status> done) {
  internal::StartShutdown(core_, mode, limits,
                          ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::CloseGracefully(const Limits& limits) {
  std::future<absl::Status> future;
  internal::StartCloseGracefully(core_, limits, ToPromise(future));
  return future;
}

void AsyncFlow::CloseGracefully(const Limits& limits,
                                Callback<absl::Status> done) {
  internal::StartCloseGracefully(core_, limits,
                                 ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Close() {
  std::future<absl::Status> future;
  internal::StartClose(core_, /*abort=*/false, ToPromise(future));
  return future;
}

void AsyncFlow::Close(Callback<absl::Status> done) {
  internal::StartClose(core_, /*abort=*/false,
                       ToCallback(core_, std::move(done)));
}

std::future<absl::Status> AsyncFlow::Abort() {
  std::future<absl::Status> future;
  internal::StartClose(core_, /*abort=*/true, ToPromise(future));
  return future;
}

void AsyncFlow::Abort(Callback<absl::Status> done) {
  internal::StartClose(core_, /*abort=*/true,
                       ToCallback(core_, std::move(done)));
}

std::future<AsyncFlow::PeerEndResult> AsyncFlow::WaitPeerEnd(
    PeerEnd at_least, const Limits& limits) {
  std::future<PeerEndResult> future;
  internal::StartWaitPeerEnd(core_, at_least, limits, ToPromise(future));
  return future;
}

void AsyncFlow::WaitPeerEnd(PeerEnd at_least, const Limits& limits,
                            Callback<PeerEndResult> done) {
  internal::StartWaitPeerEnd(core_, at_least, limits,
                             ToCallback(core_, std::move(done)));
}

// ----------------------------------------------------------------- what it is

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
void AsyncFlow::Observe(std::shared_ptr<FlowObserver> observer) const {
  if (core_ == nullptr || observer == nullptr) return;
  core_->core().observed().Add(std::move(observer));
}

std::string AsyncFlow::ToString() const {
  return core_ == nullptr ? "no flow" : core_->core().ToString();
}

}  // namespace flow
