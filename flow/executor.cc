#include "flow/executor.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace flow {
namespace {

// A task, and where what it throws is told.
struct Entry {
  Executor::Task task;
  std::shared_ptr<ExceptionLog> log;

  void Run() {
    log->Contain([&] { std::move(task)(absl::OkStatus()); });
    task = nullptr;  // what it holds may hand over more
  }
};

// The tasks that wait for the one that runs on this thread; null when none
// runs.
thread_local std::vector<Entry>* trampoline = nullptr;

void RunHere(Entry entry) {
  if (trampoline != nullptr) {
    trampoline->push_back(std::move(entry));
    return;
  }
  std::vector<Entry> waiting;
  trampoline = &waiting;
  entry.Run();
  while (!waiting.empty()) {
    std::vector<Entry> now;
    now.swap(waiting);  // what they hand over comes after all of them
    for (Entry& next : now) next.Run();
  }
  trampoline = nullptr;
}

// A task that is called once, by whom it was handed to, or else when nobody has
// it any more.
class Held {
 public:
  Held(Executor::Task task, std::shared_ptr<ExceptionLog> log)
      : task_(std::move(task)), log_(std::move(log)) {}
  ~Held() { Run(absl::CancelledError("the executor dropped the task")); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  void Run(absl::Status why) {
    if (ran_.exchange(true)) return;
    log_->Contain([&] { std::move(task_)(std::move(why)); });
  }

 private:
  Executor::Task task_;
  const std::shared_ptr<ExceptionLog> log_;
  std::atomic<bool> ran_{false};
};

}  // namespace

void InlineExecutor::Execute(Task task) {
  RunHere({std::move(task), exceptions()});
}

Executor::Door InlineExecutor::door() {
  return [log = exceptions()](Task task) { RunHere({std::move(task), log}); };
}

void FunctionExecutor::Hand(const std::shared_ptr<Function>& function,
                            const std::shared_ptr<ExceptionLog>& log,
                            Task task) {
  auto held = std::make_shared<Held>(std::move(task), log);
  Task once = [held](absl::Status why) { held->Run(std::move(why)); };
  held.reset();
  log->Contain([&] { (*function)(std::move(once)); });
}

void FunctionExecutor::Execute(Task task) {
  Hand(function_, exceptions(), std::move(task));
}

Executor::Door FunctionExecutor::door() {
  return [function = function_, log = exceptions()](Task task) {
    Hand(function, log, std::move(task));
  };
}

void ExceptionLog::set_hook(Hook hook) {
  auto shared = hook ? std::make_shared<Hook>(std::move(hook)) : nullptr;
  absl::MutexLock lock(&mu_);
  hook_ = std::move(shared);
}

void ExceptionLog::Add(absl::string_view what) {
  count_.fetch_add(1, std::memory_order_relaxed);
  std::shared_ptr<Hook> hook;
  {
    absl::MutexLock lock(&mu_);
    hook = hook_;
  }
  if (hook == nullptr) return;
  try {
    (*hook)(what);
  } catch (...) {  // NOLINT(bugprone-empty-catch): nobody is left to tell
  }
}

std::string ExceptionLog::ToString() const {
  return absl::StrCat(count(), " exceptions");
}

std::string Executor::ToString() const {
  return absl::StrCat("executor, ", exceptions()->ToString());
}

std::string InlineExecutor::ToString() const {
  return absl::StrCat("inline ", Executor::ToString());
}

std::string FunctionExecutor::ToString() const {
  return absl::StrCat("function ", Executor::ToString());
}

}  // namespace flow
