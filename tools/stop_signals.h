// File: stop_signals.h
//
// StopSignals: SIGINT and SIGTERM as a flow::CancelToken.
//
// A handler may do next to nothing (signal-safety(7)), and cancelling takes
// mutexes; so the signals are blocked in all threads and one thread waits for
// them (sigwait(3)). A second signal then kills, as if nobody had waited. One
// that was ignored from the start (nohup, a shell's background job) stays
// ignored. No disposition is changed.
//
// Guarantees: to be made in main, before other threads, which inherit the mask;
// one at a time. The destructor ends the thread and gives the mask back.

#ifndef FLOW_TOOLS_STOP_SIGNALS_H_
#define FLOW_TOOLS_STOP_SIGNALS_H_

#include <signal.h>

#include <atomic>
#include <thread>

#include "flow/cancel.h"

namespace flow_tools {

class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Cancelled by the first signal.
  flow::CancelToken token() const { return stop_.token(); }

  // The first signal, 0 if there was none.
  int caught() const { return caught_.load(); }

 private:
  void Wait(const sigset_t& awaited);

  flow::CancelSource stop_;
  std::atomic<int> caught_{0};
  std::atomic<bool> ending_{false};
  sigset_t stopping_;  // SIGINT and SIGTERM, as far as they are not ignored
  sigset_t before_;    // the mask to give back
  std::thread thread_;
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_STOP_SIGNALS_H_
