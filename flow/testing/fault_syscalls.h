// File: fault_syscalls.h
//
// FaultSyscalls: the kernel on a bad day. Real calls on real descriptors, but
// transfers come up short, calls are interrupted, buffers run out, connections
// are reset, closing fails. What fails when is drawn from a seed, so that any
// failure can be had again.
//
//   FaultOptions options;
//   options.seed = SeedOr(7);          // FLOW_TEST_SEED=... replays another
//   options.max_transfer = 7;          // each transfer moves 1 to 7 bytes
//   options.interrupted = 0.1;         // one call in ten says EINTR
//   FaultSyscalls sys(options);
//   SCOPED_TRACE(sys.ToString());      // each failure prints the seed
//
// Torture (also known as: the k-th call fails): run a case again and again,
// each time with one more call let through, until none is left to fail:
//
//   for (int k = 1;; ++k) {
//     FaultSyscalls sys(FaultOptions::FailNth(k, EIO));
//     SCOPED_TRACE(sys.ToString());
//     RunCase(&sys);                   // exact data, or an error; no leak
//     if (sys.nth_faults() == 0) break;
//   }
//
// For waits on simulated time put it over a SimSyscalls (`base`). Both ends of
// a connection that use the same object are both faulty; for an honest peer
// give it another Syscalls.
//
// Guarantees: any thread. The same seed, options and operations of one thread
// give the same faults, and a trace that is the same byte for byte (the
// generator is std::mt19937_64, which the standard fixes, and no
// std::*_distribution, which it does not). eventfd is left alone unless a rule
// names it, and wake-ups always are: flow makes them with the real kernel.

#ifndef FLOW_TESTING_FAULT_SYSCALLS_H_
#define FLOW_TESTING_FAULT_SYSCALLS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/call_set.h"
#include "flow/testing/call_trace.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/intercepting_syscalls.h"

namespace flow_testing {

class FaultSyscalls : public InterceptingSyscalls {
 public:
  // `base` carries the calls out and must outlive this; null is the kernel.
  explicit FaultSyscalls(FaultOptions options, flow::Syscalls* base = nullptr);

  // How many faults there have been: of all kinds, and by the `nth` rules. A
  // cut transfer counts if it was cut.
  int64_t faults() const;
  int64_t nth_faults() const;

  // Every call with its answer; faults are marked "[fault]", "[cut]".
  const CallTrace& trace() const { return trace_; }
  std::string TraceString() const { return trace_.ToString(); }

  // "FaultSyscalls seed=7 max_transfer=7 ...; FLOW_TEST_SEED=7 replays it", for
  // SCOPED_TRACE.
  std::string ToString() const;
  friend std::ostream& operator<<(std::ostream& os, const FaultSyscalls& sys) {
    return os << sys.ToString();
  }

 protected:
  int64_t OnCall(const Request& request, Real real) override;

 private:
  // Where a simulated reset of one descriptor stands.
  enum class Reset : uint8_t {
    kNone,      // not yet
    kPending,   // it has happened; no call has been told
    kReported,  // one call had ECONNRESET
  };
  struct Descriptor {
    uint64_t read = 0;
    uint64_t written = 0;
    Reset reset = Reset::kNone;
  };
  // What becomes of a call: an answer, or the kernel with at most `max_bytes`.
  struct Verdict {
    std::optional<int64_t> answer;
    int error = 0;
    size_t max_bytes = Request::kAllBytes;
    const char* note = "";
  };

  Verdict Decide(const Request& request, bool may_block);
  Verdict Fault(int error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<int> NthError(Call call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<Verdict> ResetVerdict(const Request& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<Verdict> ResetPoll(const Request& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int RandomError(const Request& request, bool may_block)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t RandomLimit(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ResetIfDue(Descriptor* d) const;
  void Forget(int fd);
  void CountBytes(const Request& request, int64_t moved);
  bool MayBlock(const Request& request);
  bool Chance(double probability) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t Below(uint64_t bound) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const FaultOptions options_;
  const CallSet watched_;  // all that options_ is about
  CallTrace trace_;

  mutable absl::Mutex mu_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mu_);
  std::map<int, Descriptor> descriptors_ ABSL_GUARDED_BY(mu_);
  std::vector<int64_t> nth_seen_ ABSL_GUARDED_BY(mu_);  // beside options_.nth
  int64_t faults_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t nth_faults_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_FAULT_SYSCALLS_H_
