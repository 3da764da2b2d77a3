// File: stats.h
//
// Stats: what a flow has done so far and what it is doing now.

#ifndef FLOW_STATS_H_
#define FLOW_STATS_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace flow {

// What the calls of one direction of a flow are doing.
enum class Activity : uint8_t {
  kIdle,    // no call
  kTrying,  // in the transport
  kFd,      // asleep until the kernel has something
  kSignal,  // asleep until another thread has something
  kTime,    // asleep until an instant: a throttle, a back-off
  kTurn,    // behind other calls of its direction; only an observer is told
};
// "idle", "trying", "fd", "signal", "time", "turn"
absl::string_view ActivityName(Activity activity);
std::ostream& operator<<(std::ostream& os, Activity activity);
template <typename Sink>
void AbslStringify(Sink& sink, Activity activity) {
  sink.Append(ActivityName(activity));
}

// A snapshot; the parts may be from slightly different instants while calls are
// under way. A value.
struct Stats {
  uint64_t bytes_read = 0;     // given to callers
  uint64_t bytes_written = 0;  // accepted by the transport
  uint64_t reads = 0;          // calls that returned data
  uint64_t writes = 0;         // calls that moved bytes and were OK
  absl::Duration age;          // since the flow was made
  // What the call that has the direction is doing; kIdle: there is none.
  Activity reading = Activity::kIdle;
  Activity writing = Activity::kIdle;
  // Calls that wait for their turn behind the one that is reading or writing.
  uint32_t queued_reads = 0;
  uint32_t queued_writes = 0;  // a Shutdown(kWrite) included

  // "12 B in 3 reads, 34 B out 1 writes, age 1.5s, reading: fd, writing: idle";
  // ", 2 queued" behind either if there are any
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Stats& stats) {
    sink.Append(stats.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Stats& stats) {
    return os << stats.ToString();
  }
};

}  // namespace flow

#endif  // FLOW_STATS_H_
