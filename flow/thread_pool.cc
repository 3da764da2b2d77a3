#include "flow/thread_pool.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "flow/changed_fields.h"
#include "flow/status.h"
#include "flow/sys/fork_generation.h"
#include "flow/sys/own_thread.h"

namespace flow {

// Shared with the threads: one that destroys the pool from inside a task goes
// on with this after the pool is gone.
struct ThreadPool::State {
  absl::Mutex mu;
  std::deque<Task> queue ABSL_GUARDED_BY(mu);
  bool stopping ABSL_GUARDED_BY(mu) = false;
  ThreadPoolStats stats ABSL_GUARDED_BY(mu);
  std::vector<OwnThread> threads;  // the constructor's and destructor's
  uint32_t generation = ForkGeneration();

  bool HasWorkOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    return stopping || !queue.empty();
  }
  void RunTasks(ExceptionLog& log);
  void Take(ExceptionLog& log, Task task);
};

std::string ThreadPoolStats::ToString() const {
  return absl::StrCat(threads, " threads, ", running, " running, ", queued,
                      " queued, ", finished, " finished, ", cancelled,
                      " cancelled, ", exceptions, " exceptions");
}

namespace {

// Calls `task`, whose exceptions go to `log`.
void Call(ExceptionLog& log, Executor::Task task, absl::Status why) {
  log.Contain([&] { std::move(task)(std::move(why)); });
}

ThreadPoolOptions WithThreads(int threads) {
  ThreadPoolOptions options;
  options.threads = threads;
  return options;
}

}  // namespace

ThreadPool::ThreadPool(int threads) : ThreadPool(WithThreads(threads)) {}

ThreadPool::ThreadPool(ThreadPoolOptions options)
    : state_(std::make_shared<State>()) {
  exceptions()->set_hook(std::move(options.on_exception));
  for (int i = 0; i < std::max(options.threads, 1); ++i) {
    OwnThread thread;
    if (!thread.Start(
            absl::StrCat(options.name, "-", i),
            [state = state_, log = exceptions()] { state->RunTasks(*log); })) {
      break;  // EAGAIN: fewer threads, as the statistics say
    }
    state_->threads.push_back(std::move(thread));
  }
  absl::MutexLock lock(&state_->mu);
  state_->stats.threads = static_cast<int>(state_->threads.size());
}

ThreadPool::~ThreadPool() {
  if (state_->generation != ForkGeneration()) {
    for (OwnThread& thread : state_->threads) thread.Forget();
    // Its lock may be held by a thread that does not exist here.
    // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): ends the child then
    new std::shared_ptr<State>(state_);
    return;
  }
  std::deque<Task> dropped;
  {
    absl::MutexLock lock(&state_->mu);
    state_->stopping = true;
    dropped.swap(state_->queue);
    state_->stats.cancelled += dropped.size();
  }
  for (Task& task : dropped) {
    Call(*exceptions(), std::move(task),
         absl::CancelledError("the thread pool was destroyed"));
  }
  for (OwnThread& thread : state_->threads) thread.JoinUnlessSelf();
}

void ThreadPool::State::RunTasks(ExceptionLog& log) {
  for (;;) {
    Task task;
    {
      absl::MutexLock lock(&mu);
      mu.Await(absl::Condition(this, &State::HasWorkOrStops));
      if (queue.empty()) return;
      task = std::move(queue.front());
      queue.pop_front();
      ++stats.running;
    }
    // Destroyed before the lock is taken: what it holds may destroy the pool.
    Call(log, std::move(task), absl::OkStatus());
    absl::MutexLock lock(&mu);
    --stats.running;
    ++stats.finished;
  }
}

void ThreadPool::State::Take(ExceptionLog& log, Task task) {
  absl::Status refused;
  if (generation != ForkGeneration()) {
    refused = absl::FailedPreconditionError(
        "the thread pool's threads are not in this forked child");
  } else {
    absl::MutexLock lock(&mu);
    if (stopping) {
      refused = absl::CancelledError("the thread pool was destroyed");
    } else if (stats.threads == 0) {
      refused =
          absl::ResourceExhaustedError("the thread pool could make no thread");
    } else {
      queue.push_back(std::move(task));
      return;
    }
    ++stats.cancelled;
  }
  Call(log, std::move(task), std::move(refused));
}

void ThreadPool::Execute(Task task) {
  state_->Take(*exceptions(), std::move(task));
}

Executor::Door ThreadPool::door() {
  return [state = state_, log = exceptions()](Task task) {
    state->Take(*log, std::move(task));
  };
}

std::future<absl::Status> ThreadPool::Submit(
    absl::AnyInvocable<absl::Status() &&> task) {
  std::promise<absl::Status> promise;
  std::future<absl::Status> future = promise.get_future();
  Execute([log = exceptions(), promise = std::move(promise),
           task = std::move(task)](absl::Status why) mutable {
    if (why.ok() && !log->Contain([&] { why = std::move(task)(); })) {
      why = absl::InternalError("the task threw an exception");
    }
    task = nullptr;  // what it held is gone once the future is ready
    promise.set_value(std::move(why));
  });
  return future;
}

ThreadPoolStats ThreadPool::GetStats() const {
  if (state_->generation != ForkGeneration()) return {};  // the lock: as above
  absl::MutexLock lock(&state_->mu);
  ThreadPoolStats stats = state_->stats;
  stats.queued = state_->queue.size();
  stats.exceptions = exceptions()->count();
  return stats;
}

std::string ThreadPool::ToString() const { return GetStats().ToString(); }

std::string ThreadPoolOptions::ToString() const {
  const ThreadPoolOptions usual;
  return internal::ChangedFields()
      .Add("threads", threads, usual.threads)
      .Add("name", name, usual.name)
      .Given("on_exception", static_cast<bool>(on_exception))
      .Text();
}

}  // namespace flow
