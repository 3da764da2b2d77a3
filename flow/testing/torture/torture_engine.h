// File: torture_engine.h
//
// The engine of the torture test: runs a scenario with each of its system calls
// failing in turn, in each way that the manual names. (Also known as: the k-th
// call fails; SQLite's and curl's method.)
//
// A scenario is run clean first. Then for each kind of call that it makes, for
// k = 1, 2, ... until there is no k-th, for each errno: once with the k-th call
// failing, once with all from the k-th on; and, of calls that move bytes, with
// those moving one byte. A run is in order if it came back (a watchdog ends the
// process otherwise, and says which run it was), left no descriptor and no
// thread, made no call on a descriptor that is not open, and found nothing
// wrong itself (torture_run.h).
//
// Guarantees: one thread runs it; runs follow each other.

#ifndef FLOW_TESTING_TORTURE_TORTURE_ENGINE_H_
#define FLOW_TESTING_TORTURE_TORTURE_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "flow/testing/torture/torture_run.h"
#include "flow/testing/torture/torture_syscalls.h"

namespace flow_testing {

struct Scenario {
  std::string name;
  // All waits are this thread's own, and what is not ready then never will be:
  // the clock jumps. Otherwise it ticks, when nothing has happened for a while.
  bool alone = true;
  std::function<void(TortureRun&)> body;

  friend std::ostream& operator<<(std::ostream& os, const Scenario& s) {
    return os << s.name;
  }
};

struct TortureOptions {
  // Real time after which a run is said to hang.
  absl::Duration watchdog = absl::Seconds(20);
  // Of the runs, every so manieth.
  int stride = 1;
  // The largest k; beyond, there is no new state to be met.
  int max_k = 40;
};

// What became of the runs of one scenario.
struct TortureTally {
  int64_t runs = 0;
  int64_t struck = 0;  // runs in which the fault has struck
  int64_t strict = 0;  // runs in which nothing was allowed to show
  int64_t failed = 0;
  absl::Duration longest;
  std::string first_failure;  // in words, with the flags that replay it
};

class TortureEngine {
 public:
  explicit TortureEngine(TortureOptions options);
  ~TortureEngine();

  // The clean run and all the others.
  TortureTally Torture(const Scenario& scenario);

  // One run; `trace`: prints what happened in any case.
  struct Outcome {
    TortureSyscalls::Counts counts;
    int fired = 0;
    std::string failure;  // empty: in order
  };
  Outcome RunOnce(const Scenario& scenario, const TortureFault& fault,
                  bool trace = false);

 private:
  class Ticker;

  void TortureCall(const Scenario& scenario, Call call, int in_clean_run,
                   TortureTally* tally);
  void Count(const Scenario& scenario, const TortureFault& fault,
             TortureTally* tally, bool* fired);

  const TortureOptions options_;
  const std::unique_ptr<Ticker> ticker_;
  int64_t turn_ = 0;  // for the stride
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_TORTURE_TORTURE_ENGINE_H_
