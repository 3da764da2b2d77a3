#include "flow/async_home.h"

#include <optional>

namespace flow {
namespace internal {

absl::Status AsyncHome::Refusal() const {
  if (poller_->in_forked_child()) {
    return absl::FailedPreconditionError(
        "refused: the AsyncContext's poller is not in this forked child");
  }
  if (poller_->stopping()) {
    return absl::FailedPreconditionError(
        "refused: the AsyncContext has been destroyed, or had no thread from "
        "the start");
  }
  return absl::OkStatus();
}

absl::Status AsyncHome::Begin() const {
  absl::Status refusal = Refusal();
  // Stopped this moment, if not before.
  if (refusal.ok() && !poller_->Begin()) refusal = Refusal();
  return refusal;
}

void AsyncHome::RunCallback(
    absl::AnyInvocable<void(absl::Status) &&> callback) const {
  Executor::Task task = [log = executor_->exceptions,
                         callback =
                             std::move(callback)](absl::Status why) mutable {
    log->Contain([&] { std::move(callback)(std::move(why)); });
  };
  // After the end of the context, and in a forked child, there is nobody left
  // to run it but this thread.
  std::optional<Poller::Handing> handing;
  if (poller_->in_forked_child()) return std::move(task)(absl::OkStatus());
  if (!Poller::Handing::IsUnderWay(poller_.get())) {
    if (!poller_->Begin()) return std::move(task)(absl::OkStatus());
    handing.emplace(poller_.get());
  }
  if (!executor_->runs_inline) return executor_->door(std::move(task));
  // Also from the poller's own thread: a chain of callbacks, each of which
  // starts an operation that is over at once, must not keep others waiting.
  poller_->Post([executor = executor_, task = std::move(task)]() mutable {
    executor->door(std::move(task));
  });
}

}  // namespace internal
}  // namespace flow
