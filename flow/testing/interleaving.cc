#include "flow/testing/interleaving.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "flow/testing/interleaving_primitives.h"

namespace flow_testing {
namespace {

constexpr size_t kMaxThreads = 8;
// An execution that takes more steps is taken for one without end.
constexpr size_t kMaxSteps = 20'000;
// Objects made by thread t are numbered from kIdsPerThread * (t + 1).
constexpr int kIdsPerThread = 1'000'000;
constexpr int kNoObject = -1;

// Of each thread's clock.
constexpr flow::MonoTime kBeginning = flow::MonoTime::FromNanos(1'000'000'000);

// What a thread is about to do.
struct Op {
  enum class Kind : uint8_t { kBegin, kAccess, kLock, kPoll };

  Kind kind = Kind::kBegin;
  int object = kNoObject;
  bool write = false;
  bool kernel = false;          // it is, or may change, what poll sees
  bool* held = nullptr;         // kLock
  const pollfd* fds = nullptr;  // kPoll
  nfds_t count = 0;
  bool timed = false;

  std::string ToString() const {
    const char* const kinds[] = {"begin", "access", "lock", "poll"};
    return absl::StrCat(kinds[static_cast<int>(kind)], " object ", object,
                        write ? " write" : " read", kernel ? " kernel" : "");
  }
};

// Whether the order of the two can make a difference.
bool Dependent(const Op& a, const Op& b) {
  if (!a.write && !b.write) return false;
  return (a.kernel && b.kernel) ||
         (a.object != kNoObject && a.object == b.object);
}

bool Ready(const Op& op) {
  switch (op.kind) {
    case Op::Kind::kBegin:
    case Op::Kind::kAccess:
      return true;
    case Op::Kind::kLock:
      return !*op.held;
    case Op::Kind::kPoll:
      break;
  }
  if (op.timed) return true;
  std::vector<pollfd> fds(op.fds, op.fds + op.count);
  return ::poll(fds.data(), op.count, 0) > 0;
}

using Mask = uint32_t;  // of threads
Mask Bit(size_t thread) { return Mask{1} << thread; }

// For each thread, how many of all steps are known to have come before.
using VectorClock = std::array<size_t, kMaxThreads>;

void Join(VectorClock& into, const VectorClock& other) {
  for (size_t i = 0; i < kMaxThreads; ++i) {
    into[i] = std::max(into[i], other[i]);
  }
}

// A choice, kept from one execution to the next.
struct Node {
  size_t chosen = 0;
  Mask enabled = 0;
  Mask backtrack = 0;  // to be tried here
  Mask done = 0;       // of these, tried
  Mask asleep = 0;     // whatever begins with it has been tried elsewhere
  std::array<Op, kMaxThreads> pending;
};

struct Step {
  size_t thread;
  Op op;
  VectorClock clock;
};

struct Worker {
  enum class State : uint8_t { kStopped, kRunning, kDone };

  void Begin(const std::function<void()>* to_run) {
    body = to_run;
    state = State::kStopped;
    pending = Op();
    clock = {};
    made = 0;
    now = kBeginning;
  }

  size_t index = 0;
  const std::function<void()>* body = nullptr;  // null: there is no more
  State state = State::kDone;
  Op pending;
  VectorClock clock = {};
  int made = 0;  // objects
  flow::MonoTime now;
  absl::CondVar chosen;
  std::thread thread;
};

class Explorer;
thread_local Worker* self = nullptr;
Explorer* running = nullptr;  // the one Explore under way
// Objects made by no worker's body: anew for each execution; for good.
int made_outside = 0;
thread_local bool warming_up = false;
std::atomic<int> made_for_good{0};

class Explorer {
 public:
  explicit Explorer(const ExploreOptions& options)
      : options_(options), chance_(options.seed) {}
  ~Explorer();

  Explored Run(const std::function<Scenario()>& make);

  // On a worker's thread.
  void Stop(const Op& op) ABSL_LOCKS_EXCLUDED(mu_);
  void Unlocked(int object) ABSL_LOCKS_EXCLUDED(mu_);
  // On any.
  [[noreturn]] void Refuse(absl::string_view what) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Execute(const Scenario& scenario) ABSL_LOCKS_EXCLUDED(mu_);
  void Work(Worker* worker) ABSL_LOCKS_EXCLUDED(mu_);
  void Start(size_t count);
  // Lets the next thread go on, if there is one.
  void Choose() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t ChooseAmong(Mask enabled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t Draw(Mask enabled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddNode(Mask enabled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Record(Worker& worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The next list of choices. False: there is none.
  bool Backtrack() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  [[noreturn]] void Fail(const std::string& why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const ExploreOptions options_;
  Explored explored_;
  std::mt19937 chance_;
  absl::Mutex mu_;
  absl::CondVar all_done_;
  bool over_ ABSL_GUARDED_BY(mu_) = true;  // an execution
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Node> nodes_ ABSL_GUARDED_BY(mu_);
  std::vector<Step> trace_ ABSL_GUARDED_BY(mu_);
  // What was known at the last unlock of each mutex.
  std::vector<std::pair<int, VectorClock>> unlocks_ ABSL_GUARDED_BY(mu_);
  size_t last_ ABSL_GUARDED_BY(mu_) = 0;
  // From here on like an execution that was tried: run to its end, unrecorded.
  bool redundant_ ABSL_GUARDED_BY(mu_) = false;
  size_t free_steps_ ABSL_GUARDED_BY(mu_) = 0;
};

Explored Explorer::Run(const std::function<Scenario()>& make) {
  running = this;
  for (;;) {
    made_outside = 0;
    {
      const Scenario scenario = make();
      Execute(scenario);
      scenario.then();
    }
    absl::MutexLock lock(&mu_);
    ++explored_.executions;
    explored_.redundant += redundant_ ? 1 : 0;
    explored_.steps += trace_.size();
    explored_.longest = std::max(explored_.longest, trace_.size());
    if (options_.sample != 0) {
      if (explored_.executions == options_.sample) break;
    } else if (!Backtrack()) {
      explored_.complete = true;
      break;
    }
  }
  running = nullptr;
  return explored_;
}

void Explorer::Start(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_[i]->index = i;
  }
  for (const auto& worker : workers_) {
    worker->thread = std::thread([this, &worker] {
      warming_up = true;
      if (options_.warm_up != nullptr) options_.warm_up();
      warming_up = false;
      Work(worker.get());
    });
  }
}

Explorer::~Explorer() {
  {
    absl::MutexLock lock(&mu_);
    for (const auto& worker : workers_) {
      worker->Begin(nullptr);
      worker->state = Worker::State::kRunning;
      worker->chosen.Signal();
    }
  }
  for (const auto& worker : workers_) worker->thread.join();
}

void Explorer::Execute(const Scenario& scenario) {
  if (workers_.empty()) Start(scenario.threads.size());
  absl::MutexLock lock(&mu_);
  trace_.clear();
  unlocks_.clear();
  redundant_ = false;
  free_steps_ = 0;
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->Begin(&scenario.threads[i]);
  }
  over_ = false;
  Choose();
  while (!over_) all_done_.Wait(&mu_);
}

void Explorer::Work(Worker* worker) {
  for (;;) {
    {
      absl::MutexLock lock(&mu_);
      while (worker->state != Worker::State::kRunning) {
        worker->chosen.Wait(&mu_);
      }
      if (worker->body == nullptr) return;
    }
    self = worker;
    (*worker->body)();
    self = nullptr;
    absl::MutexLock lock(&mu_);
    worker->state = Worker::State::kDone;
    Choose();
  }
}

void Explorer::Stop(const Op& op) {
  Worker& me = *self;
  absl::MutexLock lock(&mu_);
  me.pending = op;
  me.state = Worker::State::kStopped;
  Choose();
  while (me.state != Worker::State::kRunning) me.chosen.Wait(&mu_);
}

void Explorer::Unlocked(int object) {
  absl::MutexLock lock(&mu_);
  for (auto& [mutex, clock] : unlocks_) {
    if (mutex == object) {
      clock = self->clock;
      return;
    }
  }
  unlocks_.emplace_back(object, self->clock);
}

void Explorer::Choose() {
  Mask enabled = 0;
  bool all_done = true;
  for (const auto& worker : workers_) {
    if (worker->state == Worker::State::kDone) continue;
    all_done = false;
    if (Ready(worker->pending)) enabled |= Bit(worker->index);
  }
  if (all_done) {
    over_ = true;
    all_done_.Signal();
    return;
  }
  if (enabled == 0) Fail("no thread can go on: a wake-up was lost");
  if (trace_.size() + free_steps_ > kMaxSteps) Fail("it does not end");
  Worker& worker = *workers_[ChooseAmong(enabled)];
  last_ = worker.index;
  if (options_.sample != 0) {
    trace_.push_back({worker.index, worker.pending, {}});
  } else if (redundant_) {
    ++free_steps_;
  } else {
    Record(worker);
  }
  if (worker.pending.kind == Op::Kind::kLock) *worker.pending.held = true;
  worker.state = Worker::State::kRunning;
  worker.chosen.Signal();
}

size_t Explorer::ChooseAmong(Mask enabled) {
  if (options_.sample != 0) return Draw(enabled);
  if (!redundant_ && trace_.size() == nodes_.size()) AddNode(enabled);
  if (!redundant_) {
    const size_t chosen = nodes_[trace_.size()].chosen;
    if ((enabled & Bit(chosen)) == 0) Fail("it is not deterministic");
    return chosen;
  }
  // Fair, so that a loop that waits for another thread comes to its end.
  size_t next = last_;
  do {
    next = (next + 1) % workers_.size();
  } while ((enabled & Bit(next)) == 0);
  return next;
}

size_t Explorer::Draw(Mask enabled) {
  // Bugs need few changes of threads, in the right places.
  if ((enabled & Bit(last_)) != 0 && chance_() % 4 != 0) return last_;
  size_t next = 0;
  do {
    next = chance_() % workers_.size();
  } while ((enabled & Bit(next)) == 0);
  return next;
}

void Explorer::AddNode(Mask enabled) {
  Node node;
  node.enabled = enabled;
  for (const auto& worker : workers_) {
    node.pending[worker->index] = worker->pending;
  }
  if (!nodes_.empty()) {
    const Node& before = nodes_.back();
    const Op& then = before.pending[before.chosen];
    const Mask slept = (before.asleep | before.done) & ~Bit(before.chosen);
    for (size_t i = 0; i < workers_.size(); ++i) {
      if ((slept & Bit(i)) != 0 && !Dependent(before.pending[i], then)) {
        node.asleep |= Bit(i);
      }
    }
  }
  const Mask open = enabled & ~node.asleep;
  if (open == 0) {
    redundant_ = true;
    return;
  }
  // Who ran last, if it can: fewer changes of threads.
  node.chosen = last_;
  if ((open & Bit(last_)) == 0) {
    node.chosen = 0;
    while ((open & Bit(node.chosen)) == 0) ++node.chosen;
  }
  node.backtrack = Bit(node.chosen);
  nodes_.push_back(node);
}

void Explorer::Record(Worker& worker) {
  const size_t me = worker.index;
  const Op& op = worker.pending;
  // The last step of each other thread that this one could have come before.
  Mask seen = Bit(me);
  for (size_t j = trace_.size(); j-- > 0;) {
    const Step& step = trace_[j];
    if ((seen & Bit(step.thread)) != 0 || !Dependent(step.op, op)) continue;
    seen |= Bit(step.thread);
    if (j < worker.clock[step.thread]) continue;  // it had to come first
    Node& node = nodes_[j];
    node.backtrack |= (node.enabled & Bit(me)) != 0 ? Bit(me) : node.enabled;
  }
  for (const Step& step : trace_) {
    if (Dependent(step.op, op)) Join(worker.clock, step.clock);
  }
  if (op.kind == Op::Kind::kLock) {
    for (const auto& [mutex, clock] : unlocks_) {
      if (mutex == op.object) Join(worker.clock, clock);
    }
  }
  worker.clock[me] = trace_.size() + 1;
  trace_.push_back({me, op, worker.clock});
}

bool Explorer::Backtrack() {
  while (!nodes_.empty()) {
    Node& node = nodes_.back();
    node.done |= Bit(node.chosen);
    const Mask open = node.backtrack & node.enabled & ~node.done & ~node.asleep;
    if (open != 0) {
      node.chosen = 0;
      while ((open & Bit(node.chosen)) == 0) ++node.chosen;
      return true;
    }
    nodes_.pop_back();
  }
  return false;
}

void Explorer::Fail(const std::string& why) {
  std::cerr << "interleaving " << explored_.executions << ": " << why << "\n";
  for (const Step& step : trace_) {
    std::cerr << "  thread " << step.thread << ": " << step.op.ToString()
              << "\n";
  }
  for (const auto& worker : workers_) {
    std::cerr << "  thread " << worker->index
              << (worker->state == Worker::State::kDone
                      ? " has ended"
                      : absl::StrCat(" stands before ",
                                     worker->pending.ToString()))
              << "\n";
  }
  std::abort();
}

void Explorer::Refuse(absl::string_view what) {
  absl::MutexLock lock(&mu_);
  Fail(std::string(what));
}

void StopBefore(const Op& op) {
  if (self != nullptr) running->Stop(op);
}

}  // namespace

Stepped::Stepped()
    : id_(warming_up ? -2 - made_for_good++
          : self == nullptr
              ? made_outside++
              : kIdsPerThread * (static_cast<int>(self->index) + 1) +
                    self->made++) {}

void Stepped::StepRead(bool kernel) const {
  Op op;
  op.kind = Op::Kind::kAccess;
  op.object = id_;
  op.kernel = kernel;
  StopBefore(op);
}

void Stepped::StepWrite(bool kernel) const {
  Op op;
  op.kind = Op::Kind::kAccess;
  op.object = id_;
  op.write = true;
  op.kernel = kernel;
  StopBefore(op);
}

void Stepped::StepLock(bool* held) const {
  Op op;
  op.kind = Op::Kind::kLock;
  op.object = id_;
  op.write = true;
  op.held = held;
  if (self == nullptr) *held = true;
  StopBefore(op);
}

void Stepped::StepUnlock(bool* held) const {
  *held = false;
  if (self != nullptr) running->Unlocked(id_);
}

void StepKernel(bool write) {
  Op op;
  op.kind = Op::Kind::kAccess;
  op.write = write;
  op.kernel = true;
  StopBefore(op);
}

void Require(bool holds, absl::string_view what) {
  if (holds) return;
  if (running != nullptr) running->Refuse(what);
  std::cerr << what << std::endl;
  std::abort();
}

flow::MonoTime InterleavedSyscalls::Now() {
  return self == nullptr ? kBeginning : self->now;
}

int InterleavedSyscalls::Poll(pollfd* fds, nfds_t count, int timeout_ms) {
  Op op;
  op.kind = Op::Kind::kPoll;
  op.kernel = true;
  op.fds = fds;
  op.count = count;
  op.timed = timeout_ms >= 0;
  StopBefore(op);
  const int ready = ::poll(fds, count, 0);
  if (ready == 0 && self != nullptr) {
    self->now = self->now + absl::Milliseconds(timeout_ms);
  }
  return ready;
}

Explored Explore(const std::function<Scenario()>& make,
                 const ExploreOptions& options) {
  return Explorer(options).Run(make);
}

}  // namespace flow_testing
