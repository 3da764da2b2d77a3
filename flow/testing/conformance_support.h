// File: conformance_support.h (internal to the conformance suite)
//
// What its tests are written with: calls in other threads, waiting until such a
// call is blocked, bytes that show where they belong.

#ifndef FLOW_TESTING_CONFORMANCE_SUPPORT_H_
#define FLOW_TESTING_CONFORMANCE_SUPPORT_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/tested_flow.h"

namespace flow_testing {
namespace conformance {

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// How long a test may take before the watchdog comes.
inline constexpr absl::Duration kTestLimit =
    absl::Seconds(kSanitized ? 120 : 30);

// P3 says 100 ms for Close and tokens and 50 ms for deadlines, on an idle
// machine. Tests share theirs with others, so they fail only far beyond that;
// what they measured is recorded (Lateness).
inline constexpr absl::Duration kLate =
    absl::Milliseconds(kSanitized ? 3000 : 1000);

// A limit that is not reached unless something hangs.
inline constexpr absl::Duration kLong = absl::Seconds(kSanitized ? 100 : 25);

// A limit that is meant to be reached.
inline constexpr absl::Duration kShort = absl::Milliseconds(30);

// `size` bytes of which each stretch shows where it belongs: those of one seed
// from `offset` on are the same whatever is asked for first.
std::string Pattern(size_t size, uint64_t seed = 0, size_t offset = 0);

// How far `call` ran past `due`; recorded as a property of the test if it is
// the largest so far.
absl::Duration Lateness(flow::MonoTime due);

// Waits (without a fixed sleep) until the call that holds this side of `flow`
// is asleep. False after a long time.
bool WaitUntilReading(const TestedFlow& flow);
bool WaitUntilWriting(const TestedFlow& flow);

// Waits until `calls` Reads (Writes) of `flow` queue behind another, each of
// which has its place by then. False after a long time.
bool WaitUntilReadsQueue(const TestedFlow& flow, uint32_t calls);
bool WaitUntilWritesQueue(const TestedFlow& flow, uint32_t calls);

// The same for a write that may also go through: waits until it is asleep or
// done.
template <typename Call>
void WaitUntilWritingOrDone(const TestedFlow& flow, const Call& call);
void WaitUntilWritingOr(const TestedFlow& flow,
                        const std::function<bool()>& done);

// The same for a read.
template <typename Call>
void WaitUntilReadingOrDone(const TestedFlow& flow, const Call& call);
void WaitUntilReadingOr(const TestedFlow& flow,
                        const std::function<bool()>& done);

// Reads exactly `size` bytes; less at Eof. The error of the Read otherwise.
absl::StatusOr<std::string> ReadExactly(TestedFlow& flow, size_t size,
                                        const flow::Limits& limits = kLong);

// Appends what comes to `bytes`, until Eof (OK) or an error (that).
absl::Status ReadToEnd(TestedFlow& flow, std::string& bytes,
                       const flow::Limits& limits = kLong);

// Reads until Eof.
absl::StatusOr<std::string> ReadToEof(TestedFlow& flow,
                                      const flow::Limits& limits = kLong);

// Writes `text` at one end, in another thread, and reads it at the other. OK if
// it arrived as it is.
absl::Status Exchange(TestedFlow& from, TestedFlow& to, absl::string_view text);

// What a Read gave, in a form that can be compared and printed: "data: ...",
// "Eof", or the status.
std::string Outcome(const absl::StatusOr<flow::OrEof<flow::Buffer>>& got);

// Writes single bytes until that fails, as it must some time after the peer has
// gone; the status of the failure.
absl::Status WriteUntilItFails(TestedFlow& flow);

// The calls of Write's family, and of Read's, one like the other.
struct WriteCall {
  absl::string_view name;
  std::function<absl::Status(TestedFlow&, absl::string_view,
                             const flow::Limits&)>
      call;
};
const std::vector<WriteCall>& WriteCalls();
struct ReadCall {
  absl::string_view name;
  // The bytes, or nothing at Eof.
  std::function<absl::StatusOr<flow::OrEof<std::string>>(TestedFlow&,
                                                         const flow::Limits&)>
      call;
};
const std::vector<ReadCall>& ReadCalls();

// A call that runs in a thread of its own.
template <typename T>
class Background {
 public:
  explicit Background(std::function<T()> call)
      : call_(std::move(call)), thread_([this] { Run(); }) {}
  ~Background() {
    if (thread_.joinable()) thread_.join();
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  bool done() const { return done_.HasBeenNotified(); }

  // Waits for the call to end.
  T& Get() {
    done_.WaitForNotification();
    return *result_;
  }
  // When it ended; after Get().
  flow::MonoTime ended() const { return ended_; }

  // Waits until the thread is asleep in its call, wherever that is: in a wait
  // for another thread's mutex too. Linux tells; elsewhere this is a guess.
  // Only for calls that Stats do not show, and where nothing hangs on when they
  // began.
  void WaitUntilAsleep() const;

 private:
  void Run();

  const std::function<T()> call_;
  std::optional<T> result_;
  flow::MonoTime ended_;
  absl::Notification done_;
  std::atomic<pid_t> thread_id_{0};
  std::thread thread_;  // last: it uses the others
};

// This thread's id, and whether the thread with an id is asleep.
pid_t ThreadId();
void WaitUntilThreadSleeps(const std::atomic<pid_t>& thread_id,
                           const absl::Notification& done);

template <typename Call>
void WaitUntilWritingOrDone(const TestedFlow& flow, const Call& call) {
  WaitUntilWritingOr(flow, [&call] { return call.done(); });
}

template <typename Call>
void WaitUntilReadingOrDone(const TestedFlow& flow, const Call& call) {
  WaitUntilReadingOr(flow, [&call] { return call.done(); });
}

template <typename T>
void Background<T>::Run() {
  thread_id_.store(ThreadId());
  result_.emplace(call_());
  ended_ = flow::MonoTime::Now();
  done_.Notify();
}

template <typename T>
void Background<T>::WaitUntilAsleep() const {
  WaitUntilThreadSleeps(thread_id_, done_);
}

}  // namespace conformance
}  // namespace flow_testing

#endif  // FLOW_TESTING_CONFORMANCE_SUPPORT_H_
