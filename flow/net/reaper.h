// File: reaper.h (internal)
//
// Reaper: waits for the children that nobody waits for any more, so that none
// is left behind as a zombie. One thread for all of them, which is there only
// while there are some.
//
// Process-wide, since children are; a forked child has none and begins anew.

#ifndef FLOW_NET_REAPER_H_
#define FLOW_NET_REAPER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "flow/net/child_process.h"
#include "flow/poll_set.h"
#include "flow/sys/own_thread.h"

namespace flow {
namespace internal {

class Reaper {
 public:
  // Reaps `child` once it ends. Never blocks. If the system has no thread to
  // give, the next call tries again.
  static void Take(std::shared_ptr<ChildProcess> child);

 private:
  // One whose end wakes the set, and one that is asked for.
  struct Waiting {
    std::shared_ptr<ChildProcess> child;
    bool watched = false;
  };

  explicit Reaper(Reaper* older);
  int TimeoutMs() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static Reaper& OfThisProcess();

  void Add(std::shared_ptr<ChildProcess> child) ABSL_LOCKS_EXCLUDED(mu_);
  void Run();
  // Reaps what `events` name and what is not watched.
  void Reap(PollSet& set, const std::vector<PollSet::Event>& events)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const uint32_t fork_generation_;
  // The parent's, if this process was forked: kept, never used.
  [[maybe_unused]] Reaper* const older_;

  absl::Mutex mu_;
  std::shared_ptr<PollSet> set_ ABSL_GUARDED_BY(mu_);  // the thread's
  absl::flat_hash_map<uint64_t, Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  uint64_t next_ ABSL_GUARDED_BY(mu_) = 0;
  OwnThread thread_ ABSL_GUARDED_BY(mu_);
  bool running_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_REAPER_H_
