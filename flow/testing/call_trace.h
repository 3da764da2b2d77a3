// File: call_trace.h
//
// CallTrace: what was asked of the kernel and what it said, as lines that can
// be compared and replayed.
//
//   recv(#1, 4096) = 31
//   recv(#1, 4096) = -1 EINTR [fault]
//   poll(#1:IN, timed) = 1
//   accept4(#2) = #3
//
// Descriptors are numbered in the order in which they first appear (`#1`), and
// numbered anew when they were closed, so that two runs of the same operations
// give the same text whatever numbers the kernel handed out. For the same
// reason a poll says whether it could wait (`look`, `timed`, `forever`) but not
// for how many milliseconds.
//
// Guarantees: any thread. Lines appear in the order in which calls returned.
// The last `capacity` lines are kept.

#ifndef FLOW_TESTING_CALL_TRACE_H_
#define FLOW_TESTING_CALL_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "flow/testing/call_set.h"
#include "flow/testing/intercepting_syscalls.h"

namespace flow_testing {

// One call.
struct CallRecord {
  Call call = Call::kRead;  // which
  int fd = 0;               // `#` number; 0 if the call takes none
  size_t requested = 0;     // bytes that were asked for or offered
  int64_t result = 0;       // the kernel's; `#` number if the call made an fd
  bool made_fd = false;     // `result` is a `#` number
  int error = 0;            // errno, 0 if it did not fail
  std::string detail;       // of a poll: "#1:IN, timed"
  std::string note;         // who answered if not the kernel: "fault", "script"

  // "recv(#1, 4096) = -1 EINTR [fault]".
  std::string ToString() const;
  friend std::ostream& operator<<(std::ostream& os, const CallRecord& record) {
    return os << record.ToString();
  }
};

class CallTrace {
 public:
  // Enough for most tests.
  static constexpr size_t kDefaultCapacity = 65536;

  // Keeps the last `capacity` calls.
  explicit CallTrace(size_t capacity = kDefaultCapacity)
      : capacity_(capacity) {}

  // Adds a call that returned `result`, with errno `error` if that is negative.
  // A close, whatever it returned, ends its descriptor's number.
  void Add(const Request& request, int64_t result, int error,
           absl::string_view note);

  // How many calls there have been, of all kinds and of one.
  int64_t count() const;
  int64_t count(Call call) const;

  // The last `capacity` calls, oldest first.
  std::vector<CallRecord> records() const;

  // The same, a line each; says how many older ones were dropped.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const CallTrace& trace) {
    sink.Append(trace.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const CallTrace& trace) {
    return os << trace.ToString();
  }

 private:
  int Number(int fd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string DescribePoll(const Request& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t capacity_;
  mutable absl::Mutex mu_;
  std::deque<CallRecord> records_ ABSL_GUARDED_BY(mu_);
  int64_t counts_[kCallCount] ABSL_GUARDED_BY(mu_) = {};
  int64_t total_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<int, int> numbers_ ABSL_GUARDED_BY(mu_);
  int next_number_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_CALL_TRACE_H_
