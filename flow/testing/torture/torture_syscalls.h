// File: torture_syscalls.h
//
// TortureSyscalls: the kernel with one fault, by number: the k-th call of a
// kind fails, or moves one byte only, once or from then on. Counts what was
// called, and watches over descriptors and threads.
//
//   TortureSyscalls sys({Call::kRecv, 3, ECONNRESET, FaultMode::kOnce}, &sim);
//   ...
//   if (sys.fired() == 0) ...            // there was no third recv
//
// What the kernel does before it fails is done here too: close closes, a
// connect that is interrupted goes on, a shutdown of what is not connected any
// more has shut it. Reads and writes of eventfds are left alone: they can't
// fail (eventfd(2)) but by being full, which is as good as written.
//
// Guarantees: any thread.

#ifndef FLOW_TESTING_TORTURE_TORTURE_SYSCALLS_H_
#define FLOW_TESTING_TORTURE_TORTURE_SYSCALLS_H_

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/call_set.h"
#include "flow/testing/call_trace.h"
#include "flow/testing/intercepting_syscalls.h"

namespace flow_testing {

enum class FaultMode : uint8_t {
  kNone,          // the clean run
  kOnce,          // the k-th call fails
  kForever,       // and so do all later ones
  kShort,         // the k-th call moves one byte
  kShortForever,  // and so do all later ones
};
// "none", "once", "forever", "short", "short-forever".
absl::string_view FaultModeName(FaultMode mode);

struct TortureFault {
  Call call = Call::kRead;
  int k = 0;  // from 1 on
  int error = 0;
  FaultMode mode = FaultMode::kNone;

  // "--call=recv --k=3 --error=104 --mode=once".
  std::string ToString() const;
  friend std::ostream& operator<<(std::ostream& os, const TortureFault& f) {
    return os << f.ToString();
  }
};

// True if the fault may be seen by nobody (P7): the kernel asks for patience,
// or for another way of doing the same.
bool MustBeSurvived(const TortureFault& fault);

class TortureSyscalls : public InterceptingSyscalls {
 public:
  using Counts = std::array<int, kCallCount>;

  TortureSyscalls(TortureFault fault, flow::Syscalls* base);
  ~TortureSyscalls() override;

  // Counts the thread for as long as it runs.
  int StartThread(pthread_t* thread, void* (*body)(void*),
                  void* argument) override;

  // How often the fault has struck.
  int fired() const;
  // How often each call was made.
  Counts counts() const;
  // Calls so far, without a lock: whether anything happens.
  int64_t activity() const { return activity_.load(); }
  // Threads of flow's that run.
  int threads() const { return threads_->load(); }
  // What the kernel was asked of a descriptor that is not open (P5).
  std::vector<std::string> bad_calls() const;
  std::string TraceString() const { return trace_.ToString(); }

 protected:
  int64_t OnCall(const Request& request, Real real) override;

 private:
  struct Verdict {
    int error = 0;
    bool is_short = false;
  };
  Verdict Decide(const Request& request);
  void CheckMade(const Request& request, int64_t result);

  const TortureFault fault_;
  const int times_;
  CallTrace trace_;
  std::atomic<int64_t> activity_{0};
  const std::shared_ptr<std::atomic<int>> threads_;

  mutable absl::Mutex mu_;
  Counts counts_ ABSL_GUARDED_BY(mu_) = {};
  int fired_ ABSL_GUARDED_BY(mu_) = 0;
  std::set<int> eventfds_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> bad_calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_TORTURE_TORTURE_SYSCALLS_H_
