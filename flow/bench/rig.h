// File: rig.h (testonly)
//
// What all benchmarks of this room stand on: pairs of blocking descriptors, as
// a program has them before flow comes; where threads run; what they cost.
//
//   Ends ends = MakeEnds(Kind::kTcp);       // near and far, blocking
//   OnOurThread([&] { PinTo(0); ... });     // joined when it returns
//   Flow near = FlowOn(std::move(ends.near));
//
// A benchmark that can't be set up ends the process: it has no figure to give.

#ifndef FLOW_BENCH_RIG_H_
#define FLOW_BENCH_RIG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/sys/own_thread.h"
#include "flow/sys/unique_fd.h"

namespace flow_bench {

// Says what failed, with errno, and ends the process.
[[noreturn]] void Die(const char* what);

inline void Must(bool holds, const char* what) {
  if (!holds) Die(what);
}
void Must(const absl::Status& status);

template <typename T>
T Must(absl::StatusOr<T> value) {
  Must(value.status());
  return *std::move(value);
}

// ------------------------------------------------------------ descriptors

enum class Kind : uint8_t { kUnix, kTcp, kPipe };
constexpr Kind kKinds[] = {Kind::kUnix, Kind::kTcp, Kind::kPipe};
const char* NameOf(Kind kind);

// One side: of a socket `in` and `out` are the same number, which `in_owned`
// owns; of pipes they are two.
struct End {
  int in() const { return in_owned.get(); }
  int out() const { return out_owned.valid() ? out_owned.get() : in(); }
  bool is_socket() const { return !out_owned.valid(); }

  flow::UniqueFd in_owned;
  flow::UniqueFd out_owned;
};

struct Ends {
  End near;
  End far;
};

// Two ends that block. TCP: over loopback, TCP_NODELAY. Pipes: two of them, of
// the kernel's size.
Ends MakeEnds(Kind kind);
Ends MakeTcpEnds();

// The flow that owns an end's descriptors.
flow::Flow FlowOn(End end);

// As many descriptors as this process may have.
void RaiseFdLimit();

// ----------------------------------------------------------------- threads

// Which processors this process may use.
std::vector<int> Cpus();
// From now on this thread runs on the `index`th of them, modulo their number.
void PinTo(size_t index);

// Runs `body` on a thread as flow makes them (SIGPIPE blocked: pipes are
// written without a guard) and waits for it, so that the pinning ends with it.
void OnOurThread(absl::FunctionRef<void()> body);

// A thread of that kind which is joined at the end of its scope, at the latest.
class OurThread {
 public:
  explicit OurThread(absl::AnyInvocable<void() &&> body);
  ~OurThread() { thread_.JoinUnlessSelf(); }
  OurThread(const OurThread&) = delete;
  OurThread& operator=(const OurThread&) = delete;

 private:
  flow::OwnThread thread_;
};

// Threads that do nothing but compute, on the processor of PinTo(0).
class Hogs {
 public:
  explicit Hogs(int count);
  ~Hogs();
  Hogs(const Hogs&) = delete;
  Hogs& operator=(const Hogs&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::vector<flow::OwnThread> threads_;
};

// Processor time of the calling thread, and of the process.
double ThreadCpuSeconds();
double ProcessCpuSeconds();

// A number from /proc/self/status ("VmRSS:", "Threads:").
double ProcStatus(const std::string& key);
// Resident KiB, without what an earlier run has freed.
double ResidentKib();

// ------------------------------------------------------------------ limits

// A deadline that is far away, and a token that nobody cancels: what every
// goal has armed.
struct Armed {
  explicit Armed(bool with_token = true);

  flow::CancelSource source;
  flow::Limits limits;
};

}  // namespace flow_bench

#endif  // FLOW_BENCH_RIG_H_
