// File: thread_pool.h
//
// ThreadPool: a fixed number of threads that run tasks and callbacks.
//
//   flow::ThreadPool pool(2);
//   flow::AsyncContext context(pool);
//   std::future<absl::Status> done = pool.Submit([] { return Work(); });
//
// - Threads: as many as asked for, made by the constructor, named NAME-0,
//   NAME-1, ...; SIGPIPE is blocked in them. Should the system refuse some, the
//   pool has fewer (GetStats); with none at all every task is refused.
// - Start: each task as soon as a thread is free.
// - Order: first in, first out; with one thread also one after the other.
// - Destruction: what runs, finishes and is waited for. What is still queued,
//   and what an AsyncContext hands over later, does not run: its future, or its
//   callback, gets CANCELLED. (Operations that are parked are the context's,
//   and end with it.) The destructor joins all threads but its own, so a task
//   may destroy the pool that it runs on.
// - Must not run on it: what waits for another task of the same pool, since all
//   threads may be doing that. (Operations of AsyncFlow never occupy a thread
//   while they wait.)
//
// What a task throws is caught: counted, reported to the hook, and a submitted
// task's future says INTERNAL.
//
// In a forked child the threads do not exist: tasks are refused with
// FAILED_PRECONDITION, and the destructor joins nobody.
//
// Guarantees: every method may be called from any thread. What was done before
// Submit or Execute is visible to the task; what the task did, to whoever sees
// its future ready.

#ifndef FLOW_THREAD_POOL_H_
#define FLOW_THREAD_POOL_H_

#include <cstdint>
#include <future>
#include <memory>
#include <ostream>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/executor.h"

namespace flow {

// How a pool is made.
struct ThreadPoolOptions {
  // At least 1; less is taken for 1.
  int threads = 1;
  // The kernel keeps 15 characters of a thread's name.
  std::string name = "flow-pool";
  // Told what() of each exception that a task lets out; on the task's thread.
  ExceptionLog::Hook on_exception;

  // "threads=2": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ThreadPoolOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ThreadPoolOptions& options) {
    return os << options.ToString();
  }
};

// What a pool has done so far. A value.
struct ThreadPoolStats {
  int threads = 0;          // that the pool has
  int running = 0;          // tasks under way
  uint64_t queued = 0;      // tasks that wait for a thread
  uint64_t finished = 0;    // tasks that ran
  uint64_t cancelled = 0;   // tasks that will not run
  uint64_t exceptions = 0;  // that tasks let out

  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ThreadPoolStats& stats) {
    sink.Append(stats.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ThreadPoolStats& stats) {
    return os << stats.ToString();
  }
};

class ThreadPool final : public Executor {
 public:
  // With `threads` threads, or as `options` say.
  explicit ThreadPool(int threads);
  explicit ThreadPool(ThreadPoolOptions options);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // See Executor. A refused task is called here and now, with the reason.
  void Execute(Task task) override;
  Door door() override;

  // Runs `task` and gives what it returned: INTERNAL if it threw, CANCELLED if
  // the pool was destroyed first. The future's destructor does not block.
  [[nodiscard]] std::future<absl::Status> Submit(
      absl::AnyInvocable<absl::Status() &&> task);

  // What it has done so far, and what it is doing.
  ThreadPoolStats GetStats() const;

  // As its statistics.
  std::string ToString() const override;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ThreadPool& pool) {
    sink.Append(pool.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const ThreadPool& pool) {
    return os << pool.ToString();
  }

 private:
  struct State;

  const std::shared_ptr<State> state_;
};

}  // namespace flow

#endif  // FLOW_THREAD_POOL_H_
