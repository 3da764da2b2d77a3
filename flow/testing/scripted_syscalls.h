// File: scripted_syscalls.h
//
// ScriptedSyscalls: a kernel whose answers are written down beforehand, so that
// a case which takes luck to meet is a line of a test.
//
//   using flow_testing::script::Err;
//   using flow_testing::script::Recv;
//
//   ScriptedSyscalls sys({
//       Recv("hel"),                  // these bytes
//       Recv(Err(EINTR)).Times(3),    // -1 and errno, three times
//       Recv(31),                     // 31 bytes of PatternBytes()
//       Recv(0),                      // the end of the stream
//   });
//   ... a flow over a real socket, with &sys ...
//   EXPECT_EQ(sys.calls(), 6);
//
// The calls that the script is about have to come in its order. Any other one,
// one more than it has, and (in Verify() or the destructor) one that never came
// fail the test, with the trace of what did come; the caller then gets EIO.
// What the script is about: everything that moves bytes, poll, accept, connect
// and shutdown, even those that it does not name; with `Others::kReal` only the
// calls that it names. Whatever it is not about, goes to the kernel (so that
// descriptors have to be real ones): a close that is not named, fstat, ...
//
// Guarantees: any thread; calls take their answers in the order in which they
// come.

#ifndef FLOW_TESTING_SCRIPTED_SYSCALLS_H_
#define FLOW_TESTING_SCRIPTED_SYSCALLS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/call_set.h"
#include "flow/testing/call_trace.h"
#include "flow/testing/intercepting_syscalls.h"

namespace flow_testing {

// The words in which scripts are written.
namespace script {

// What a call answers.
class Outcome {
 public:
  // How it answers.
  enum class Kind : uint8_t {
    kResult,  // a number
    kBytes,   // of a read: these
    kError,   // -1 and an errno
    kReady,   // of a poll: events
    kReal,    // what the kernel says
  };

  // A result: a count of bytes (0 from a read: the end of the stream), a
  // descriptor, 0 for "done", of a poll 0 for "timed out".
  template <typename T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  Outcome(T result)  // NOLINT(google-explicit-constructor)
      : result_(static_cast<int64_t>(result)) {}
  // A read that gives these bytes.
  Outcome(const char* bytes)  // NOLINT(google-explicit-constructor)
      : Outcome(std::string(bytes)) {}
  Outcome(std::string bytes)  // NOLINT(google-explicit-constructor)
      : kind_(Kind::kBytes), bytes_(std::move(bytes)) {}

  // What it is, and of what: of kError `result` is the errno, of kReady the
  // events.
  Kind kind() const { return kind_; }
  int64_t result() const { return result_; }
  const std::string& bytes() const { return bytes_; }

  // "12", "4 bytes", "ECONNRESET", "ready 1", "the kernel's".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Outcome& outcome) {
    sink.Append(outcome.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Outcome& outcome) {
    return os << outcome.ToString();
  }

 private:
  friend Outcome Err(int error);
  friend Outcome Ready(short revents);
  friend Outcome Real();
  Outcome(Kind kind, int64_t result) : kind_(kind), result_(result) {}

  Kind kind_ = Kind::kResult;
  int64_t result_ = 0;  // of kError the errno, of kReady the revents
  std::string bytes_;
};

// -1 and `error` in errno.
Outcome Err(int error);
// Of a poll: 1, the first descriptor has these events, the others none.
Outcome Ready(short revents);
// The kernel's own answer.
Outcome Real();

// One line of a script: a call, its answer, and what the caller has to ask for
// (nothing in particular by default).
class Step {
 public:
  // `call` is expected, and answered so.
  Step(Call call, Outcome outcome)
      : call_(call), outcome_(std::move(outcome)) {}

  // The call must be on this descriptor.
  Step OnFd(int fd) &&;
  // It must ask for, or offer, so many bytes.
  Step Requesting(size_t bytes) &&;
  // It must offer bytes that begin with these. (Writes only.)
  Step Offering(std::string bytes) &&;
  // The same line so many times.
  Step Times(int times) &&;
  // Runs `action` before the answer is given, in the caller's thread: to let
  // something happen while the call is under way.
  Step AndDo(std::function<void()> action) &&;

  // As it was made: the call, its answer, how often, and what is run first.
  Call call() const { return call_; }
  const Outcome& outcome() const { return outcome_; }
  int times() const { return times_; }
  const std::function<void()>& action() const { return action_; }

  // What is wrong with `request` as this step's call; empty if nothing.
  std::string Mismatch(const Request& request) const;

  // "recv = ECONNRESET, 2 times".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Step& step) {
    sink.Append(step.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Step& step) {
    return os << step.ToString();
  }

 private:
  Call call_;
  Outcome outcome_;
  int times_ = 1;
  std::optional<int> fd_;
  std::optional<size_t> requested_;
  std::optional<std::string> offered_;
  std::function<void()> action_;
};

// A step for each call that scripts are commonly about; for any other one write
// Step(Call::kFcntl, Err(EPERM)).
Step Read(Outcome outcome);
Step Readv(Outcome outcome);
Step Readv2(Outcome outcome);
Step Recv(Outcome outcome);
Step Recvmsg(Outcome outcome);
Step Write(Outcome outcome);
Step Writev(Outcome outcome);
Step Writev2(Outcome outcome);
Step Send(Outcome outcome);
Step Sendmsg(Outcome outcome);
Step Poll(Outcome outcome);
Step Accept(Outcome outcome);
Step Connect(Outcome outcome);
Step Shutdown(Outcome outcome);
// The kernel closes the descriptor whatever the script answers, as it does when
// close(2) reports an error.
Step Close(Outcome outcome);

}  // namespace script

// `count` bytes of the endless "abc...zabc...", from `offset` on: what scripted
// reads give that have a count and no bytes, one after the other.
std::string PatternBytes(size_t offset, size_t count);

class ScriptedSyscalls : public InterceptingSyscalls {
 public:
  // What becomes of calls that the script does not name.
  enum class Others : uint8_t {
    kFail,  // calls that scripts are commonly about fail if not in this one
    kReal,  // they go to the kernel, unless this script names them somewhere
  };

  // `base` answers what the script does not; null is the kernel.
  explicit ScriptedSyscalls(std::vector<script::Step> script,
                            Others others = Others::kFail,
                            flow::Syscalls* base = nullptr);

  // Verifies.
  ~ScriptedSyscalls() override;

  // Fails the test if steps are left over. Returns whether all was as written,
  // from the start. A second call does not report the same again.
  bool Verify();

  // How many steps have been used, counting each of Times().
  int calls() const;

  // The bytes that scripted writes have accepted, in order.
  std::string written() const;

  // All calls that the script was about.
  const CallTrace& trace() const { return trace_; }

 protected:
  int64_t OnCall(const Request& request, Real real) override;

 private:
  std::optional<script::Step> Take(const Request& request);
  int64_t Answer(const Request& request, const script::Outcome& outcome,
                 Real real);
  int64_t Move(const Request& request, const script::Outcome& outcome);

  const CallSet scripted_;
  CallTrace trace_;

  mutable absl::Mutex mu_;
  std::deque<script::Step> steps_ ABSL_GUARDED_BY(mu_);
  int used_of_first_ ABSL_GUARDED_BY(mu_) = 0;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  size_t pattern_offset_ ABSL_GUARDED_BY(mu_) = 0;
  std::string written_ ABSL_GUARDED_BY(mu_);
  bool as_written_ ABSL_GUARDED_BY(mu_) = true;
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_SCRIPTED_SYSCALLS_H_
