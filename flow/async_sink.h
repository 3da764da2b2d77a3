// File: async_sink.h (internal)
//
// Sink: who is told the result of an operation, once. It alone knows how the
// future form and the callback form stand on one hook.

#ifndef FLOW_ASYNC_SINK_H_
#define FLOW_ASYNC_SINK_H_

#include <future>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "flow/async_home.h"
#include "flow/executor.h"

namespace flow {
namespace internal {

// Told the result where the operation was finished, under no lock: makes a
// promise ready, or hands a callback to the executor.
template <typename Result>
using Sink = absl::AnyInvocable<void(Result) &&>;

// Makes `future` ready.
template <typename Result>
Sink<Result> ToPromise(std::future<Result>& future) {
  std::promise<Result> promise;
  future = promise.get_future();
  return [promise = std::move(promise)](Result result) mutable {
    promise.set_value(std::move(result));
  };
}

// Calls `done` through the executor of `home`.
template <typename Result>
Sink<Result> ToCallback(AsyncHome home,
                        absl::AnyInvocable<void(Result) &&> done) {
  return
      [home = std::move(home), done = std::move(done)](Result result) mutable {
        home.RunCallback([done = std::move(done), result = std::move(result)](
                             const absl::Status& why) mutable {
          if (!why.ok()) result = why;
          std::move(done)(std::move(result));
        });
      };
}

// Calls `done` here: there is no flow, and so no executor.
template <typename Result>
Sink<Result> ToCallbackHere(absl::AnyInvocable<void(Result) &&> done) {
  return [done = std::move(done)](Result result) mutable {
    ExceptionLog nobodys;
    nobodys.Contain([&] { std::move(done)(std::move(result)); });
  };
}

}  // namespace internal
}  // namespace flow

#endif  // FLOW_ASYNC_SINK_H_
