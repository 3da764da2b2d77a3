#include "flow/executor.h"

#include <deque>

namespace flow {
namespace {

// The tasks that wait for the one that runs on this thread; null when none
// runs.
thread_local std::deque<Executor::Task>* trampoline = nullptr;

}  // namespace

void InlineExecutor::Execute(Task task) {
  if (trampoline != nullptr) {
    trampoline->push_back(std::move(task));
    return;
  }
  std::deque<Task> waiting;
  trampoline = &waiting;
  // A task may destroy this executor, so its members are not used after it.
  const std::shared_ptr<ExceptionLog> log = exceptions();
  log->Contain([&] { std::move(task)(absl::OkStatus()); });
  task = nullptr;  // what it holds may hand over more
  while (!waiting.empty()) {
    Task next = std::move(waiting.front());
    waiting.pop_front();
    log->Contain([&] { std::move(next)(absl::OkStatus()); });
  }
  trampoline = nullptr;
}

void ExceptionLog::set_hook(Hook hook) {
  absl::MutexLock lock(&mu_);
  hook_ = std::move(hook);
}

void ExceptionLog::Add(absl::string_view what) {
  count_.fetch_add(1, std::memory_order_relaxed);
  absl::MutexLock lock(&mu_);
  if (!hook_) return;
  try {
    hook_(what);
  } catch (...) {  // NOLINT(bugprone-empty-catch): nobody is left to tell
  }
}

}  // namespace flow
