#include "flow/testing/torture/torture_engine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/testing/torture/man_page_errnos.h"

namespace flow_testing {

// Moves the clock of runs that are not alone: when for some ticks no call was
// made and somebody sleeps, to the next instant at which a sleeper would wake.
// Short waits cost one tick; long ones, which are limits, come true only in
// runs that may fail, since a machine that is busy with something else looks
// the same.
class TortureEngine::Ticker {
 public:
  Ticker() : thread_([this] { Run(); }) {}
  ~Ticker() {
    {
      absl::MutexLock lock(&mu_);
      over_ = true;
    }
    thread_.join();
  }

  void Watch(TortureSyscalls* sys, SimSyscalls* sim, bool patient) {
    absl::MutexLock lock(&mu_);
    sys_ = sys;
    sim_ = sim;
    patient_ = patient;
    quiet_ = 0;
  }
  void Leave() { Watch(nullptr, nullptr, false); }

 private:
  static constexpr absl::Duration kTick = absl::Microseconds(200);
  static constexpr absl::Duration kShort = absl::Seconds(2);
  static constexpr int kQuietTicks = 15;

  void Run() {
    absl::MutexLock lock(&mu_);
    while (!over_) {
      if (sys_ == nullptr) {
        mu_.Await(absl::Condition(this, &Ticker::HasWork));
      } else {
        mu_.AwaitWithTimeout(absl::Condition(&over_), kTick);
        if (sys_ != nullptr) Tick();
      }
    }
  }
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return over_ || sys_ != nullptr;
  }

  void Tick() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const int64_t activity = sys_->activity();
    quiet_ = activity == activity_ ? quiet_ + 1 : 0;
    activity_ = activity;
    if (quiet_ == 0 || sim_->sleepers() == 0) return;
    const flow::MonoTime next = sim_->next_wake();
    if (next.is_never()) return;
    const bool is_short = next - sim_->Now() <= kShort;
    if (!is_short && (patient_ || quiet_ < kQuietTicks)) return;
    sim_->AdvanceTo(next);
  }

  absl::Mutex mu_;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  TortureSyscalls* sys_ ABSL_GUARDED_BY(mu_) = nullptr;
  SimSyscalls* sim_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool patient_ ABSL_GUARDED_BY(mu_) = false;
  int64_t activity_ ABSL_GUARDED_BY(mu_) = 0;
  int quiet_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread thread_;
};

namespace {

// Waits until `holds`, for as long as the watchdog would.
template <typename Condition>
bool Soon(absl::Duration patience, Condition holds) {
  const flow::MonoTime late = flow::MonoTime::In(patience);
  while (!holds()) {
    if (flow::MonoTime::Now() > late) return false;
    std::this_thread::yield();
  }
  return true;
}

bool Moves(Call call) {
  return CallSet::Moving().contains(call) || CallSet::Kernel().contains(call);
}

std::string Replay(const Scenario& scenario, const TortureFault& fault) {
  return absl::StrCat("--scenario=", scenario.name, " ", fault.ToString());
}

[[noreturn]] void Hangs(const Scenario& scenario, const TortureFault& fault,
                        const TortureRun& run, const TortureSyscalls& sys,
                        const SimSyscalls& sim, absl::string_view what) {
  std::fprintf(stderr, "HANGS (%s): %s\n%s%s\n%s\n", std::string(what).c_str(),
               Replay(scenario, fault).c_str(), run.Transcript().c_str(),
               sim.ToString().c_str(), sys.TraceString().c_str());
  std::abort();
}

}  // namespace

TortureEngine::TortureEngine(TortureOptions options)
    : options_(options), ticker_(std::make_unique<Ticker>()) {}

TortureEngine::~TortureEngine() = default;

TortureEngine::Outcome TortureEngine::RunOnce(const Scenario& scenario,
                                              const TortureFault& fault,
                                              bool trace) {
  const int fds = CountOpenFds();
  std::vector<std::string> wrong;
  Outcome outcome;
  std::string transcript;
  {
    SimSyscalls sim;
    TortureSyscalls sys(fault, &sim);
    TortureRun run(&sys, &sim, MustBeSurvived(fault));
    if (scenario.alone) {
      sim.AutoAdvance(1);
    } else {
      ticker_->Watch(&sys, &sim, run.strict());
    }
    // In a thread of its own, whose alarm clock goes with it.
    absl::Notification done;
    std::thread body([&] {
      scenario.body(run);
      done.Notify();
    });
    if (!done.WaitForNotificationWithTimeout(options_.watchdog)) {
      Hangs(scenario, fault, run, sys, sim, "no answer");
    }
    body.join();
    if (!Soon(options_.watchdog, [&] { return sys.threads() == 0; })) {
      Hangs(scenario, fault, run, sys, sim, "a thread is left");
    }
    ticker_->Leave();
    outcome.counts = sys.counts();
    outcome.fired = sys.fired();
    wrong = run.failures();
    for (std::string& call : sys.bad_calls()) wrong.push_back(std::move(call));
    if (trace || !wrong.empty()) {
      transcript = absl::StrCat(run.Transcript(), sys.TraceString());
    }
  }
  // A thread that was let go closes its own only after it has said good-bye.
  int left = CountOpenFds() - fds;
  if (left != 0) {
    Soon(absl::Seconds(2), [&] { return CountOpenFds() == fds; });
    left = CountOpenFds() - fds;
  }
  if (left != 0) wrong.push_back(absl::StrCat(left, " descriptors left open"));
  if (trace) std::printf("%s", transcript.c_str());
  if (!wrong.empty()) {
    outcome.failure =
        absl::StrCat(Replay(scenario, fault), "\n", absl::StrJoin(wrong, "\n"),
                     "\n", transcript);
  }
  return outcome;
}

void TortureEngine::Count(const Scenario& scenario, const TortureFault& fault,
                          TortureTally* tally, bool* fired) {
  if (options_.stride > 1 && ++turn_ % options_.stride != 0) return;
  const flow::MonoTime begin = flow::MonoTime::Now();
  const Outcome outcome = RunOnce(scenario, fault);
  tally->longest = std::max(tally->longest, flow::MonoTime::Now() - begin);
  ++tally->runs;
  if (MustBeSurvived(fault)) ++tally->strict;
  if (outcome.fired > 0) {
    ++tally->struck;
    *fired = true;
  }
  if (outcome.failure.empty()) return;
  if (++tally->failed <= 5) {
    std::fprintf(stderr, "FAILED: %s\n", outcome.failure.c_str());
    if (tally->failed == 1) tally->first_failure = outcome.failure;
  }
}

void TortureEngine::TortureCall(const Scenario& scenario, Call call,
                                int in_clean_run, TortureTally* tally) {
  for (int k = 1; k <= options_.max_k; ++k) {
    // Of a sample, none may have struck.
    bool fired = options_.stride > 1 && k <= in_clean_run;
    for (const int error : ManPageErrnos(call)) {
      Count(scenario, {call, k, error, FaultMode::kOnce}, tally, &fired);
      // Up to its fault a run is like the clean one: if this has no k-th call,
      // no other has.
      if (!fired) return;
      Count(scenario, {call, k, error, FaultMode::kForever}, tally, &fired);
    }
    if (Moves(call)) {
      Count(scenario, {call, k, 0, FaultMode::kShort}, tally, &fired);
      Count(scenario, {call, k, 0, FaultMode::kShortForever}, tally, &fired);
    }
  }
}

TortureTally TortureEngine::Torture(const Scenario& scenario) {
  TortureTally tally;
  const Outcome clean = RunOnce(scenario, TortureFault());
  ++tally.runs;
  if (!clean.failure.empty()) {
    tally.failed = 1;
    tally.first_failure = clean.failure;
    return tally;
  }
  for (int i = 0; i < kCallCount; ++i) {
    const int count = clean.counts[static_cast<size_t>(i)];
    if (count > 0) TortureCall(scenario, static_cast<Call>(i), count, &tally);
  }
  return tally;
}

}  // namespace flow_testing
