// File: executor.h
//
// Executor: where callbacks run.
//
// The callback forms of flow/async_flow.h hand each callback to an Executor.
// Two adapters are here; flow::ThreadPool (flow/thread_pool.h) is a third.
//
//   flow::InlineExecutor on_the_poller;  // short callbacks only
//   flow::FunctionExecutor mine([&](flow::Executor::Task task) {
//     my_loop.Post([task = std::move(task)]() mutable {
//       std::move(task)(absl::OkStatus());
//     });
//   });
//
// Futures need none: they are made ready by the thread that finished the
// operation.

#ifndef FLOW_EXECUTOR_H_
#define FLOW_EXECUTOR_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace flow {

// What became of the exceptions that user code let out of tasks and callbacks:
// counted, and told to a hook. Shared, since a callback may destroy the
// executor that it runs on. Thread-safe.
class ExceptionLog {
 public:
  // Told of each exception.
  using Hook = absl::AnyInvocable<void(absl::string_view what)>;

  // Told what() of each; on the thread where it was thrown, perhaps on several
  // at once. What the hook throws is dropped.
  void set_hook(Hook hook) ABSL_LOCKS_EXCLUDED(mu_);

  // How many there were.
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

  // Calls `function`; false if it threw, which is then in the log.
  template <typename Function>
  bool Contain(Function&& function) {
    try {
      std::forward<Function>(function)();
      return true;
    } catch (const std::exception& e) {
      Add(e.what());
    } catch (...) {
      Add("not a std::exception");
    }
    return false;
  }

  // "3 exceptions".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ExceptionLog& log) {
    sink.Append(log.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const ExceptionLog& log) {
    return os << log.ToString();
  }

 private:
  void Add(absl::string_view what) ABSL_LOCKS_EXCLUDED(mu_);

  std::atomic<uint64_t> count_{0};
  absl::Mutex mu_;
  // Called without the mutex, since it may destroy what waits for it.
  std::shared_ptr<Hook> hook_ ABSL_GUARDED_BY(mu_);
};

class Executor {
 public:
  // Called exactly once: with OK to run, or with the reason why it can't be run
  // (CANCELLED: the executor is being destroyed). Those that flow hands over
  // don't throw: what callbacks let out is in exceptions() by then.
  using Task = absl::AnyInvocable<void(absl::Status) &&>;

  // What an AsyncContext keeps of its executor: calls it for as long as it is
  // there, and each task at once, with CANCELLED, when it is gone.
  using Door = std::function<void(Task)>;

  virtual ~Executor() = default;

  // Takes `task`, to be called once. May be called from any thread, also from
  // inside a task. Never blocks for long.
  virtual void Execute(Task task) = 0;

  // True if Execute may call the task before it returns. flow then calls it on
  // the poller's thread only, never on the stack of a caller of AsyncFlow.
  virtual bool runs_inline() const { return false; }

  // By default a call of Execute: an executor without a door of its own must
  // outlive every AsyncContext that uses it.
  virtual Door door() {
    return [this](Task task) { Execute(std::move(task)); };
  }

  // What the callbacks that ran here have thrown. Never null.
  const std::shared_ptr<ExceptionLog>& exceptions() const { return log_; }

  // What it is, in words: by default "executor, 0 exceptions".
  virtual std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Executor& executor) {
    sink.Append(executor.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Executor& executor) {
    return os << executor.ToString();
  }

 private:
  const std::shared_ptr<ExceptionLog> log_ = std::make_shared<ExceptionLog>();
};

// Runs tasks on the thread that completes the operation, which is the poller's,
// one after the other: a task that is handed over inside a task runs after it
// (a trampoline), so that chains of callbacks don't grow the stack. Start: at
// once. Order: as handed over. Nothing is queued when it is destroyed. Must not
// run on it: anything that blocks, since it stops every flow of the context.
class InlineExecutor final : public Executor {
 public:
  void Execute(Task task) override;
  bool runs_inline() const override { return true; }
  Door door() override;
  // "inline executor, 0 exceptions".
  std::string ToString() const override;
};

// Hands tasks to a function of the user's, which passes each on, to be called
// later: not before the function returns (InlineExecutor is for that). Threads,
// start, order and what must not run: the user's. A task that the function
// drops, or loses by an exception, is called with CANCELLED instead; what the
// function throws goes to exceptions(). The function may be called from several
// threads at once, and for as long as there is a context that uses it, also
// when this object is gone.
class FunctionExecutor final : public Executor {
 public:
  // Hands each task to `function`.
  explicit FunctionExecutor(absl::AnyInvocable<void(Task)> function)
      : function_(std::make_shared<Function>(std::move(function))) {}

  void Execute(Task task) override;
  Door door() override;
  // "function executor, 0 exceptions".
  std::string ToString() const override;

 private:
  using Function = absl::AnyInvocable<void(Task)>;

  static void Hand(const std::shared_ptr<Function>& function,
                   const std::shared_ptr<ExceptionLog>& log, Task task);

  const std::shared_ptr<Function> function_;
};

}  // namespace flow

#endif  // FLOW_EXECUTOR_H_
