// File: stop_signals.h
//
// StopSignals: SIGINT and SIGTERM as tokens, SIGUSR1 as a call.
//
//   | signal       | grace 0           | with a grace                        |
//   |--------------|-------------------|-------------------------------------|
//   | the first    | stopping, and cut | stopping; cut when the grace is over|
//   |              |                   | or, if asked for, nothing moves     |
//   | the second   | kills             | cut                                 |
//   | the third    |                   | kills                               |
//
// A handler may do next to nothing (signal-safety(7)), and cancelling takes
// mutexes; so the signals are blocked in all threads and one thread waits for
// them (sigwait(3)). What kills does so as if nobody had waited. One that was
// ignored from the start (nohup, a shell's background job) stays ignored. No
// disposition is changed.
//
// Guarantees: to be made in main, before other threads, which inherit the mask;
// one at a time. The destructor ends the thread and gives the mask back.

#ifndef FLOW_TOOLS_FLOWCAT_STOP_SIGNALS_H_
#define FLOW_TOOLS_FLOWCAT_STOP_SIGNALS_H_

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "flow/cancel.h"

namespace flow_tools {

// What the first signal leaves to what is under way.
struct Grace {
  // Until it is cut; infinite: only the second signal cuts.
  absl::Duration most;
  // If there is one: how much has moved so far. It is cut as soon as that has
  // not changed for half a second.
  std::function<uint64_t()> moved = nullptr;
};

class StopSignals {
 public:
  // `on_usr1` and Grace::moved are called by this object's thread.
  StopSignals(Grace grace, std::function<void()> on_usr1);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Nothing new is to be begun.
  flow::CancelToken stopping() const { return stopping_.token(); }
  // What is under way is to end now.
  flow::CancelToken cut() const { return cut_.token(); }

  // The first signal, 0 if there was none.
  int caught() const { return caught_.load(); }
  // Whether there was a second one.
  bool hurried() const { return hurried_.load(); }

 private:
  void Run(sigset_t awaited);
  // The next of `awaited`; 0: a pause in which nothing moved has cut.
  int Next(const sigset_t& awaited);
  // True if the next one is to kill.
  bool Stop(int signal);

  const Grace grace_;
  const std::function<void()> on_usr1_;
  flow::CancelSource stopping_;
  flow::CancelSource cut_;
  std::atomic<int> caught_{0};
  std::atomic<bool> hurried_{false};
  std::atomic<bool> ending_{false};
  sigset_t stops_;   // SIGINT and SIGTERM, as far as they are not ignored
  sigset_t before_;  // the mask to give back
  std::thread thread_;
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_STOP_SIGNALS_H_
