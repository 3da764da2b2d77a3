#include "flow/net/async_dial.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "flow/async_access.h"
#include "flow/async_home.h"
#include "flow/async_sink.h"
#include "flow/net/dialing.h"
#include "flow/poller.h"
#include "flow/sleeper.h"
#include "flow/transport.h"

namespace flow {
namespace {

using internal::AsyncAccess;
using internal::AsyncHome;
using internal::Dialing;
using internal::Poller;
using internal::Sink;
using internal::Sleeper;
using internal::Woke;

using Result = absl::StatusOr<AsyncFlow>;

// A Dialing that is parked between its steps. Destroys itself.
class AsyncDialing final : public internal::Parked {
 public:
  static void Start(absl::string_view address, AsyncHome home,
                    const Limits& limits, const NetOptions& options,
                    Sink<Result> sink);
  void OnReady() override;

 private:
  AsyncDialing(AsyncHome home, const Limits& limits, const NetOptions& options,
               Sink<Result> sink)
      : home_(std::move(home)),
        dialing_(limits, options),
        sink_(std::move(sink)) {
    parked_.Attach(&home_.poller(), nullptr);
  }

  void Go(Dialing::Result result);
  void Park();
  void Finish(absl::StatusOr<Flow> result);

  const AsyncHome home_;
  Dialing dialing_;
  internal::ParkedFlow parked_;
  Sink<Result> sink_;
};

void AsyncDialing::Start(absl::string_view address, AsyncHome home,
                         const Limits& limits, const NetOptions& options,
                         Sink<Result> sink) {
  if (absl::Status refusal = home.Begin(); !refusal.ok()) {
    return std::move(sink)(std::move(refusal));
  }
  auto* const self =
      new AsyncDialing(std::move(home), limits, options, std::move(sink));
  self->Go(self->dialing_.Begin(address));
}

void AsyncDialing::OnReady() {
  // The step may close the descriptor, or give it to a flow.
  home_.poller().Forget(parked_);
  Go(dialing_.Resume(home_.poller().stopping()
                         ? Woke::kStopped
                         : dialing_.sleeper().PassedLimit()));
}

void AsyncDialing::Go(Dialing::Result result) {
  if (result.has_value()) return Finish(*std::move(result));
  Park();
}

// Not touched any more after it.
void AsyncDialing::Park() {
  Sleeper& sleeper = dialing_.sleeper();
  sleeper.BeginWait();
  const Wait wait =
      sleeper.Calmed(dialing_.wait(), woken_by_fd(), internal::kFutileParked);
  home_.poller().Park(*this, parked_, wait, dialing_.token(),
                      sleeper.LimitInstant(),
                      [&] { return sleeper.Signalled(wait); });
}

void AsyncDialing::Finish(absl::StatusOr<Flow> result) {
  parked_.Detach();
  {
    const Poller::Handing handing(&home_.poller());
    std::move(sink_)(result.ok()
                         ? Result(AsyncAccess::Make(*std::move(result), home_))
                         : Result(result.status()));
  }
  delete this;
}

}  // namespace

std::future<absl::StatusOr<AsyncFlow>> AsyncDial(absl::string_view address,
                                                 const AsyncContext& context,
                                                 const Limits& limits,
                                                 const NetOptions& options) {
  std::future<Result> future;
  AsyncDialing::Start(address, AsyncAccess::HomeOf(context), limits, options,
                      internal::ToPromise(future));
  return future;
}

void AsyncDial(absl::string_view address, const AsyncContext& context,
               const Limits& limits, AsyncFlow::Callback<Result> done,
               const NetOptions& options) {
  const AsyncHome home = AsyncAccess::HomeOf(context);
  AsyncDialing::Start(address, home, limits, options,
                      internal::ToCallback(home, std::move(done)));
}

}  // namespace flow
