// Guards of the fast paths that can't flake: what is counted is the same each
// time, however busy the machine is. System calls are counted where flow makes
// them, allocations at `operator new`, instructions by stepping through them.
// How long all that takes is measured by tools/bench/run.

#include <poll.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/async_flow.h"
#include "flow/buffered/reader.h"
#include "flow/buffered/writer.h"
#include "flow/cancel.h"
#include "flow/executor.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/allocations.h"
#include "flow/testing/intercepting_syscalls.h"
#include "flow/testing/scripted_syscalls.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Flow;
using flow::Limits;

class Counter : public InterceptingSyscalls {
 public:
  int calls() const { return calls_; }

 protected:
  int64_t OnCall(const Request&, Real real) override {
    ++calls_;
    return real(Request::kAllBytes);
  }

 private:
  std::atomic<int> calls_{0};
};

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    ADD_FAILURE() << value.status();
    std::abort();
  }
  return *std::move(value);
}

// A flow, whose calls are counted if so wished, and its peer. (The counter
// allocates, for long vectors.)
struct Pair {
  explicit Pair(bool counted = true) {
    RawPair raw = RawSocketPair();
    flow::FdOptions options;
    if (counted) options.sys = &sys;
    near = Must(flow::Adopt(std::move(raw.first), options));
    far = Must(flow::Adopt(std::move(raw.second)));
  }

  Counter sys;
  Flow near;
  Flow far;
};

struct NamedLimits {
  const char* name;
  Limits limits;
};

// None; a deadline and a token, neither of which is near.
std::vector<NamedLimits> EachLimits(const flow::CancelSource& source) {
  Limits armed = absl::Hours(1);
  armed.cancel = source.token();
  return {{"no limits", Limits()}, {"deadline and token", armed}};
}

constexpr size_t kBytes = 64;

// A call, how often it may allocate, and how many instructions it may take in
// an unoptimized build (0: not counted).
struct NamedCall {
  const char* name;
  bool reads;
  int allocations;
  int64_t instructions;
  std::function<absl::Status(Flow&, const Limits&)> run;
};

std::vector<NamedCall> EachCall() {
  static const std::string& bytes = *new std::string(kBytes, 'x');
  static const auto& pieces =
      *new std::vector<absl::string_view>(16, absl::string_view(bytes));
  static const auto& many =
      *new std::vector<absl::string_view>(1000, absl::string_view("y"));
  static char into[kBytes];
  return {
      {"Write", false, 0, 4600,
       [](Flow& f, const Limits& l) { return f.Write(bytes, l); }},
      {"WriteSome", false, 0, 5400,
       [](Flow& f, const Limits& l) { return f.WriteSome(bytes, l).status(); }},
      {"Writev of 16", false, 0, 0,
       [](Flow& f, const Limits& l) { return f.Writev(pieces, l); }},
      {"Writev of 1000", false, 0, 0,
       [](Flow& f, const Limits& l) { return f.Writev(many, l); }},
      {"ReadInto", true, 0, 4800,
       [](Flow& f, const Limits& l) { return f.ReadInto(into, l).status(); }},
      {"Read", true, 1, 0,
       [](Flow& f, const Limits& l) { return f.Read(l).status(); }},
  };
}

// An operation that finds data, or room, costs one system call (try first), and
// no memory but the buffer that Read returns. F5, F6.
TEST(FastPathTest, WhatNeedNotWaitIsOneSystemCallAndNoAllocation) {
  const flow::CancelSource source;
  for (const NamedLimits& with : EachLimits(source)) {
    for (const NamedCall& call : EachCall()) {
      Pair counted;
      Pair plain(/*counted=*/false);
      for (int i = 0; i < 3; ++i) {  // the first fills what the thread keeps
        for (Pair* pair : {&counted, &plain}) {
          if (!call.reads) continue;
          ASSERT_TRUE(pair->far.Write(std::string(kBytes, 'r')).ok());
        }
        const int calls = counted.sys.calls();
        EXPECT_TRUE(call.run(counted.near, with.limits).ok());
        EXPECT_EQ(counted.sys.calls() - calls, 1)
            << call.name << ", " << with.name;
        const int64_t before = ThreadAllocations();
        const absl::Status status = call.run(plain.near, with.limits);
        const int64_t allocated = ThreadAllocations() - before;
        EXPECT_TRUE(status.ok()) << status;
        if (i == 0 || !AllocationsAreCounted()) continue;
        EXPECT_EQ(allocated, call.allocations)
            << call.name << ", " << with.name;
      }
    }
  }
}

// A read that has to wait once: the try, one poll of the descriptor alone (no
// second one in the first 20 ms, DESIGN 2.1), the try that finds the bytes.
TEST(FastPathTest, OneWaitIsThreeSystemCallsAndNoAllocation) {
  ScriptedSyscalls sys({
      script::Recv(script::Err(EAGAIN)),
      script::Poll(script::Ready(POLLIN)),
      script::Recv("bytes"),
  });
  RawPair raw = RawSocketPair();
  flow::FdOptions options;
  options.sys = &sys;
  Flow near = Must(flow::Adopt(std::move(raw.first), options));
  char into[kBytes];
  EXPECT_EQ(Must(near.ReadInto(into, absl::Hours(1))).data(), 5);
  EXPECT_EQ(sys.calls(), 3);
}

// Reads that keep having to wait stop trying in vain; one that finds data at
// once, and every eighth, tries first again. F1.
TEST(FastPathTest, ReadsThatKeepHavingToWaitAskFirst) {
  const auto waits = [](std::vector<script::Step>& steps, bool in_vain) {
    if (in_vain) steps.push_back(script::Recv(script::Err(EAGAIN)));
    steps.push_back(script::Poll(script::Ready(POLLIN)));
    steps.push_back(script::Recv("bytes"));
  };
  std::vector<script::Step> steps;
  for (int read = 0; read < 9; ++read) waits(steps, read < 2 || read == 8);
  waits(steps, false);
  for (int read = 10; read < 16; ++read) waits(steps, false);
  steps.push_back(script::Recv("bytes"));  // the sixteenth: it is there
  steps.push_back(script::Recv("bytes"));  // so the next tries as well
  for (int i = 0; i < 3; ++i) waits(steps, i < 2);
  ScriptedSyscalls sys(std::move(steps));
  RawPair raw = RawSocketPair();
  flow::FdOptions options;
  options.sys = &sys;
  Flow near = Must(flow::Adopt(std::move(raw.first), options));
  char into[kBytes];
  for (int read = 0; read < 21; ++read) {
    EXPECT_EQ(Must(near.ReadInto(into, absl::Hours(1))).data(), 5) << read;
  }
  EXPECT_TRUE(sys.Verify());
}

// Tells of a read in vain, and of a poll that comes before any try.
class Watcher : public InterceptingSyscalls {
 public:
  void AwaitVainReads(int count) {
    absl::MutexLock lock(&mu_);
    vain_wanted_ = count;
    mu_.Await(absl::Condition(this, &Watcher::HasVainReads));
  }
  int VainReads() {
    absl::MutexLock lock(&mu_);
    return vain_;
  }
  void AwaitPollAfterReads(int count) {
    absl::MutexLock lock(&mu_);
    reads_wanted_ = count;
    mu_.Await(absl::Condition(this, &Watcher::HasPolled));
  }

 protected:
  int64_t OnCall(const Request& request, Real real) override {
    if (request.call == Call::kPoll) {
      absl::MutexLock lock(&mu_);
      reads_at_poll_ = reads_;
    }
    const int64_t result = real(Request::kAllBytes);
    if (request.call == Call::kRecv) {
      const int error = errno;
      {
        absl::MutexLock lock(&mu_);
        if (result < 0) ++vain_;
        if (result > 0) ++reads_;
      }
      errno = error;
    }
    return result;
  }

 private:
  bool HasVainReads() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return vain_ >= vain_wanted_;
  }
  bool HasPolled() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return reads_at_poll_ >= reads_wanted_;
  }

  absl::Mutex mu_;
  int vain_ ABSL_GUARDED_BY(mu_) = 0;
  int reads_ ABSL_GUARDED_BY(mu_) = 0;
  int reads_at_poll_ ABSL_GUARDED_BY(mu_) = 0;
  int vain_wanted_ ABSL_GUARDED_BY(mu_) = 0;
  int reads_wanted_ ABSL_GUARDED_BY(mu_) = 0;
};

// Who waits before it tries is not inside a try, so that what a writer meets
// meanwhile is told at once and not only when the reader comes back. P1, P3.
TEST(FastPathTest, AReaderThatAsksFirstHoldsNoWriterUp) {
  Watcher sys;
  RawPair raw = RawSocketPair();
  flow::FdOptions options;
  options.sys = &sys;
  Flow near = Must(flow::Adopt(std::move(raw.first), options));
  Flow far = Must(flow::Adopt(std::move(raw.second)));
  std::thread reader([&near] {
    char into[kBytes];
    while (near.ReadInto(into).ok()) {
    }
  });
  for (const int vain : {1, 2}) {
    sys.AwaitVainReads(vain);
    ASSERT_TRUE(far.Write("x").ok());
  }
  sys.AwaitPollAfterReads(2);
  // Linux: a unix peer that has shut its reading refuses what is sent to it,
  // and goes on sending itself.
  ASSERT_TRUE(far.Shutdown(flow::ShutdownMode::kRead).ok());
  const absl::Status refused = near.Write("y", absl::Seconds(20));
  EXPECT_TRUE(flow::IsClosedByPeer(refused)) << refused;
  EXPECT_TRUE(near.Close().ok());
  reader.join();
}

TEST(FastPathTest, AskingFirstCanBeTurnedOff) {
  std::vector<script::Step> steps;
  for (int read = 0; read < 4; ++read) {
    steps.push_back(script::Recv(script::Err(EAGAIN)));
    steps.push_back(script::Poll(script::Ready(POLLIN)));
    steps.push_back(script::Recv("bytes"));
  }
  ScriptedSyscalls sys(std::move(steps));
  RawPair raw = RawSocketPair();
  flow::FdOptions options;
  options.sys = &sys;
  options.adaptive.waits_first = false;
  Flow near = Must(flow::Adopt(std::move(raw.first), options));
  char into[kBytes];
  for (int read = 0; read < 4; ++read) {
    EXPECT_EQ(Must(near.ReadInto(into)).data(), 5) << read;
  }
  EXPECT_TRUE(sys.Verify());
}

// An operation with a future that can proceed at once does so in the caller:
// one system call, and what a promise, its result and the operation take. F8.
TEST(FastPathTest, AFutureThatIsReadyAtOnceIsOneSystemCall) {
  // What std::promise and the operation allocate, with some room for other
  // standard libraries.
  constexpr int64_t kMostAllocations = 5;
  Pair pair;
  flow::InlineExecutor executor;
  flow::AsyncContext context(executor);
  auto near = Must(flow::AsyncFlow::From(std::move(pair.near), context));
  const flow::CancelSource source;
  for (const NamedLimits& with : EachLimits(source)) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(pair.far.Write(std::string(kBytes, 'r')).ok());
      int calls = pair.sys.calls();
      int64_t before = ThreadAllocations();
      EXPECT_TRUE(near.Write(std::string(kBytes, 'w'), with.limits).get().ok());
      EXPECT_EQ(pair.sys.calls() - calls, 1) << with.name;
      EXPECT_LE(ThreadAllocations() - before, kMostAllocations) << with.name;
      calls = pair.sys.calls();
      before = ThreadAllocations();
      EXPECT_TRUE(near.Read(with.limits).get().ok());
      EXPECT_EQ(pair.sys.calls() - calls, 1) << with.name;
      EXPECT_LE(ThreadAllocations() - before, kMostAllocations) << with.name;
    }
  }
}

// Reads with futures whose tries in vain are counted.
struct WaitingReads {
  WaitingReads() {
    RawPair raw = RawSocketPair();
    flow::FdOptions options;
    options.sys = &sys;
    far = Must(flow::Adopt(std::move(raw.second)));
    near = Must(flow::AsyncFlow::From(
        Must(flow::Adopt(std::move(raw.first), options)), context));
  }
  // Reads that have to wait.
  void Wait(int reads) {
    for (int i = 0; i < reads; ++i) {
      auto read = near.Read(absl::Hours(1));
      EXPECT_TRUE(far.Write("x").ok());
      EXPECT_TRUE(read.get().ok());
    }
  }

  Watcher sys;
  Flow far;
  flow::InlineExecutor executor;
  flow::AsyncContext context{executor};
  flow::AsyncFlow near;
};

// Reads with futures that keep having to wait are parked without a try in vain;
// one that finds data at once, and every eighth, tries first again. F9.
TEST(FastPathTest, FuturesThatKeepHavingToWaitAreParkedFirst) {
  WaitingReads reads;
  reads.Wait(9);
  EXPECT_EQ(reads.sys.VainReads(), 9);
  reads.Wait(7);
  EXPECT_EQ(reads.sys.VainReads(), 9);
  reads.Wait(8);
  EXPECT_EQ(reads.sys.VainReads(), 10);
  ASSERT_TRUE(reads.far.Write("it is there").ok());
  EXPECT_TRUE(reads.near.Read(absl::Hours(1)).get().ok());
  EXPECT_EQ(reads.sys.VainReads(), 10);
  reads.Wait(1);
  EXPECT_EQ(reads.sys.VainReads(), 11);
}

// Parked before it was tried, a read ends as any other does. P1, P3.
TEST(FastPathTest, AFutureThatIsParkedFirstSeesTheEndAndLimits) {
  WaitingReads reads;
  reads.Wait(9);
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      reads.near.Read(absl::Milliseconds(1)).get().status()));
  flow::CancelSource source;
  auto cancelled = reads.near.Read(Limits(source.token()));
  source.Cancel();
  EXPECT_TRUE(absl::IsCancelled(cancelled.get().status()));
  auto last = reads.near.Read();
  EXPECT_TRUE(reads.far.Close().ok());
  const auto end = last.get();
  ASSERT_TRUE(end.ok());
  EXPECT_TRUE(end->is_eof());
  EXPECT_EQ(reads.sys.VainReads(), 9);
}

// Small records cost no system call each: 512 of 64 B are 32 KiB. F4.
TEST(FastPathTest, RecordsAreGatheredIntoFewSystemCalls) {
  constexpr int kRecords = 512;
  constexpr int kMostCalls = 10;
  const std::string record(kBytes, 'x');
  Pair pair;
  flow::Writer out(std::move(pair.near));
  int calls = pair.sys.calls();
  for (int i = 0; i < kRecords; ++i) ASSERT_TRUE(out.Write(record).ok());
  ASSERT_TRUE(out.Flush().ok());
  EXPECT_LE(pair.sys.calls() - calls, kMostCalls);

  Pair back;
  ASSERT_TRUE(back.far.Write(std::string(kBytes * kRecords, 'y')).ok());
  flow::Reader in(std::move(back.near));
  calls = back.sys.calls();
  char into[kBytes];
  int64_t before = 0;
  for (int i = 0; i < kRecords; ++i) {
    if (i == 1) before = ThreadAllocations();
    ASSERT_TRUE(in.ReadExactly(into).ok());
  }
  EXPECT_LE(back.sys.calls() - calls, kMostCalls);
  // The buffer is there after the first.
  EXPECT_LE(ThreadAllocations() - before, kMostCalls);
}

// ------------------------------------------------------------ instructions

// The bounds are x86-64's, and a sanitizer's own instructions none of ours.
#if defined(__x86_64__) && !defined(ABSL_HAVE_ADDRESS_SANITIZER) && \
    !defined(ABSL_HAVE_THREAD_SANITIZER) &&                         \
    !defined(ABSL_HAVE_MEMORY_SANITIZER)

// A kernel that takes and gives everything at once, so that only flow is
// counted.
class Instant : public flow::Syscalls {
 public:
  ssize_t Recv(int, void*, size_t count, int) override {
    return static_cast<ssize_t>(count);
  }
  ssize_t Send(int, const void*, size_t count, int) override {
    return static_cast<ssize_t>(count);
  }
};

// In a child process that is stopped after each instruction between its two
// SIGSTOPs. `prepare` gives what is counted. -1: stepping is not allowed here.
int64_t StepsOf(absl::FunctionRef<std::function<void()>()> prepare) {
  const pid_t child = fork();
  if (child == 0) {
    const std::function<void()> counted = prepare();
    counted();
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    raise(SIGSTOP);
    counted();
    raise(SIGSTOP);
    _exit(0);
  }
  int64_t steps = -1;
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSTOPPED(status)) {
    do {
      ++steps;
      if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
      waitpid(child, &status, 0);
    } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    if (WIFSTOPPED(status)) kill(child, SIGKILL);
  }
  if (!WIFEXITED(status)) waitpid(child, &status, 0);
  return steps;
}

int64_t InstructionsOf(const NamedCall& call) {
  const int64_t nothing = StepsOf([] { return std::function<void()>([] {}); });
  const int64_t steps = StepsOf([&call] {
    // Of the child's, for good: it never leaves by return.
    auto* const sys = new Instant();
    auto* const source = new flow::CancelSource();
    auto* const limits = new Limits(absl::Hours(1));
    limits->cancel = source->token();
    flow::FdOptions options;
    options.sys = sys;
    RawPair raw = RawSocketPair();
    auto* const near =
        new Flow(Must(flow::Adopt(std::move(raw.first), options)));
    return std::function<void()>([&call, near, limits] {
      if (!call.run(*near, *limits).ok()) _exit(1);
    });
  });
  return nothing < 0 || steps < 0 ? -1 : steps - nothing;
}

// With deadline and token armed. The bounds are those of an unoptimized build,
// with room for another compiler: what they catch is a loop, a lock or a
// look-up too many. An optimized one takes a quarter. F6.
TEST(FastPathTest, ACallThatNeedNotWaitTakesFewInstructions) {
  for (const NamedCall& call : EachCall()) {
    if (call.instructions == 0) continue;
    const int64_t count = InstructionsOf(call);
    if (count < 0) GTEST_SKIP() << "kernel forbids ptrace";
    RecordProperty(call.name, std::to_string(count));
    std::printf("%s: %lld instructions\n", call.name,
                static_cast<long long>(count));
    EXPECT_GT(count, 100) << call.name;  // else nothing was counted
    EXPECT_LE(count, call.instructions) << call.name;
  }
}

#endif

}  // namespace
}  // namespace flow_testing
