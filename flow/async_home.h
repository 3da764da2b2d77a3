// File: async_home.h (internal)
//
// AsyncHome: where the operations of an AsyncContext live, which they may
// outlive: its poller and its executor. It alone knows when nothing may begin
// any more, and how a callback gets onto the executor.
//
// Cheap to copy. Guarantees: every method may be called from any thread.

#ifndef FLOW_ASYNC_HOME_H_
#define FLOW_ASYNC_HOME_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "flow/executor.h"
#include "flow/poller.h"

namespace flow {
namespace internal {

// The way to the executor of a context, which may be gone before the rest.
struct ExecutorWay {
  explicit ExecutorWay(Executor& executor)
      : door(executor.door()),
        runs_inline(executor.runs_inline()),
        exceptions(executor.exceptions()) {}

  const Executor::Door door;
  const bool runs_inline;
  const std::shared_ptr<ExceptionLog> exceptions;
};

class AsyncHome {
 public:
  AsyncHome(std::shared_ptr<Poller> poller,
            std::shared_ptr<const ExecutorWay> executor)
      : poller_(std::move(poller)), executor_(std::move(executor)) {}

  Poller& poller() const { return *poller_; }
  const ExecutorWay& executor() const { return *executor_; }

  // Why operations are refused; OK if they are not.
  absl::Status Refusal() const;
  // Something begins, and keeps the poller until Poller::End, or a Handing, is
  // over. Else why not.
  absl::Status Begin() const;

  // Runs `callback` through the executor, with OK or with why it could not be
  // run. Never on the stack of the calling thread, unless that is the poller's.
  void RunCallback(absl::AnyInvocable<void(absl::Status) &&> callback) const;

 private:
  std::shared_ptr<Poller> poller_;
  std::shared_ptr<const ExecutorWay> executor_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_ASYNC_HOME_H_
