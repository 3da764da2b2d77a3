// File: async_sink.h (internal)
//
// Sink: who is told the result of an operation, once. It alone knows how the
// future form and the callback form stand on one hook.

#ifndef FLOW_ASYNC_SINK_H_
#define FLOW_ASYNC_SINK_H_

#include <future>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "flow/async_home.h"
#include "flow/executor.h"

namespace flow {
namespace internal {

// Told the result where the operation was finished, under no lock: makes a
// promise ready, or hands a callback to the executor. A promise is kept as what
// it is: as a function it would cost memory of its own.
template <typename Result>
class Sink {
 public:
  using Function = absl::AnyInvocable<void(Result) &&>;

  // Tells nobody, and may not be called.
  Sink() = default;
  // Makes `promise` ready.
  explicit Sink(std::promise<Result> promise) : told_(std::move(promise)) {}
  // Calls `function`.
  template <typename F, typename = std::enable_if_t<
                            !std::is_same_v<std::decay_t<F>, Sink> &&
                            std::is_constructible_v<Function, F>>>
  Sink(F&& function)  // NOLINT(google-explicit-constructor)
      : told_(std::in_place_type<Function>, std::forward<F>(function)) {}

  // Once.
  void operator()(Result result) && {
    if (auto* const promise = std::get_if<std::promise<Result>>(&told_)) {
      promise->set_value(std::move(result));
    } else if (auto* const function = std::get_if<Function>(&told_)) {
      std::move (*function)(std::move(result));
    }
  }

 private:
  std::variant<Function, std::promise<Result>> told_;
};

// Makes `future` ready.
template <typename Result>
Sink<Result> ToPromise(std::future<Result>& future) {
  std::promise<Result> promise;
  future = promise.get_future();
  return Sink<Result>(std::move(promise));
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
