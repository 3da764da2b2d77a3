// A blocked operation makes at most 20 system calls a second (P4, G10): each
// one that can block, in each state of the other side of its flow, on each kind
// of stream, held for a while at once and counted one by one.
//
//   bazel run -c opt //flow:no_spin_test -- --hold=1s --bar
//
// prints the most calls that one made, and with --bar the processor time of
// all, which then must be less than 2 % of the time that they slept.

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/intercepting_syscalls.h"
#include "flow/testing/memory_pair.h"
#include "flow/transport.h"
#include "gtest/gtest.h"

ABSL_FLAG(absl::Duration, hold, absl::Seconds(1), "How long each is held.");
ABSL_FLAG(bool, bar, false, "Fails for too much processor time, too.");

namespace flow_testing {
namespace {

using flow::Flow;
using flow::Limits;
using flow::PeerEnd;
using flow::ShutdownMode;

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

enum class Kind { kUnix, kTcp, kPipes, kBorrowed, kMemory };
enum class Op {
  kRead,
  kReadInto,
  kWrite,
  kWriteSome,
  kFinished,
  kGone,
  kDrain
};
// What has become of the flow's sides, and of the peer's, before.
enum class State { kOpen, kOtherShut, kPeerShut, kPeerShutAndSeen };

constexpr const char* kKinds[] = {"unix", "tcp", "pipes", "borrowed", "memory"};
constexpr const char* kOps[] = {"Read",           "ReadInto",      "Write",
                                "WriteSome",      "wait finished", "wait gone",
                                "CloseGracefully"};
constexpr const char* kStates[] = {"open", "its other side shut",
                                   "the peer's writing shut",
                                   "the peer's end read"};

// A flow that somebody blocks on, and its peer.
struct Held {
  std::string name;
  Counter sys;
  Flow flow;
  Flow peer;
  std::vector<flow::UniqueFd> lent;
  flow::CancelSource stop;
  int calls_before = 0;
  absl::Status status;
  std::atomic<bool> done{false};
};

Flow Must(absl::StatusOr<Flow> made) {
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : Flow();
}

void Connect(Kind kind, Held& held) {
  flow::FdOptions mine;
  mine.sys = &held.sys;
  switch (kind) {
    case Kind::kUnix:
    case Kind::kTcp: {
      RawPair raw = kind == Kind::kUnix ? RawSocketPair() : RawTcpPair(16384);
      held.flow = Must(flow::Adopt(std::move(raw.first), mine));
      held.peer = Must(flow::Adopt(std::move(raw.second)));
      return;
    }
    case Kind::kBorrowed: {
      RawPair raw = RawSocketPair();
      held.flow = Must(flow::Borrow(raw.first.get(), mine));
      held.peer = Must(flow::Adopt(std::move(raw.second)));
      held.lent.push_back(std::move(raw.first));
      return;
    }
    case Kind::kPipes: {
      RawPair in = RawPipe();
      RawPair out = RawPipe();
      held.flow =
          Must(flow::Adopt(std::move(in.first), std::move(out.second), mine));
      held.peer = Must(flow::Adopt(std::move(out.first), std::move(in.second)));
      return;
    }
    case Kind::kMemory: {
      MemoryPairOptions options;
      options.sys = &held.sys;
      std::tie(held.flow, held.peer) = MemoryPair(4096, options);
      return;
    }
  }
}

bool Reads(Op op) { return op == Op::kRead || op == Op::kReadInto; }
bool Writes(Op op) { return op == Op::kWrite || op == Op::kWriteSome; }

// False: the operation would not block then.
bool Bring(State state, Op op, Held& held) {
  const Limits soon = absl::Seconds(5);
  switch (state) {
    case State::kOpen:
      return true;
    case State::kOtherShut:
      if (op == Op::kDrain || op == Op::kGone) return false;
      EXPECT_TRUE(
          held.flow
              .Shutdown(Reads(op) ? ShutdownMode::kWrite : ShutdownMode::kRead,
                        soon)
              .ok());
      return true;
    case State::kPeerShut:
    case State::kPeerShutAndSeen:
      if (!Writes(op)) return false;
      EXPECT_TRUE(held.peer.Shutdown(ShutdownMode::kWrite, soon).ok());
      if (state == State::kPeerShutAndSeen) {
        const auto eof = held.flow.Read(soon);
        EXPECT_TRUE(eof.ok() && eof->is_eof());
      }
      return true;
  }
  return false;
}

// Until nothing goes any more, for a writer that is to block.
void Fill(Flow& flow) {
  const std::string block(1 << 16, 'x');
  while (flow.WriteSome(block, absl::Milliseconds(100)).ok()) {
  }
}

absl::Status Block(Op op, Held& held) {
  const Limits limits = held.stop.token();
  char byte = 0;
  switch (op) {
    case Op::kRead:
      return held.flow.Read(limits).status();
    case Op::kReadInto:
      return held.flow.ReadInto({&byte, 1}, limits).status();
    case Op::kWrite:
      return held.flow.Write(std::string(100'000, 'x'), limits);
    case Op::kWriteSome:
      return held.flow.WriteSome(std::string(100'000, 'x'), limits).status();
    case Op::kFinished:
      return held.flow.WaitPeerEnd(PeerEnd::kFinished, limits).status();
    case Op::kGone:
      return held.flow.WaitPeerEnd(PeerEnd::kGone, limits).status();
    case Op::kDrain:
      return held.flow.CloseGracefully(limits);
  }
  return absl::OkStatus();
}

absl::Duration ProcessorTime() {
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  return absl::DurationFromTimeval(used.ru_utime) +
         absl::DurationFromTimeval(used.ru_stime);
}

std::vector<std::unique_ptr<Held>> MakeAll(std::vector<Op>* ops) {
  std::vector<std::unique_ptr<Held>> all;
  for (int kind = 0; kind < 5; ++kind) {
    for (int op = 0; op < 7; ++op) {
      for (int state = 0; state < 4; ++state) {
        auto held = std::make_unique<Held>();
        held->name =
            absl::StrCat(kOps[op], " on ", kKinds[kind], ", ", kStates[state]);
        Connect(static_cast<Kind>(kind), *held);
        if (!Bring(static_cast<State>(state), static_cast<Op>(op), *held)) {
          continue;
        }
        ops->push_back(static_cast<Op>(op));
        all.push_back(std::move(held));
      }
    }
  }
  return all;
}

// P4.
TEST(NoSpin, ABlockedOperationMakesTwentyCallsASecondAtMost) {
  std::vector<Op> ops;
  const std::vector<std::unique_ptr<Held>> all = MakeAll(&ops);
  std::vector<std::thread> threads;
  std::atomic<int> ready{0};
  for (size_t i = 0; i < all.size(); ++i) {
    threads.emplace_back([&held = *all[i], op = ops[i], &ready] {
      if (Writes(op)) Fill(held.flow);
      held.calls_before = held.sys.calls();
      ++ready;
      held.status = Block(op, held);
      held.done = true;
    });
  }
  while (ready < static_cast<int>(all.size())) std::this_thread::yield();
  const flow::MonoTime begin = flow::MonoTime::Now();
  const absl::Duration used_before = ProcessorTime();
  const absl::Notification never;
  never.WaitForNotificationWithTimeout(absl::GetFlag(FLAGS_hold));
  const absl::Duration used = ProcessorTime() - used_before;
  const double seconds = absl::ToDoubleSeconds(flow::MonoTime::Now() - begin);
  int most = 0;
  for (const std::unique_ptr<Held>& held : all) {
    const int calls = held->sys.calls() - held->calls_before;
    EXPECT_LE(calls, 20 * std::max(seconds, 1.0)) << held->name;
    EXPECT_FALSE(held->done)
        << held->name << " did not block: " << held->status;
    most = std::max(most, calls);
    held->stop.Cancel();
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::unique_ptr<Held>& held : all) {
    EXPECT_TRUE(absl::IsCancelled(held->status))
        << held->name << ": " << held->status;
  }
  const double share =
      absl::ToDoubleSeconds(used) / (seconds * static_cast<double>(all.size()));
  std::cout << all.size() << " blocked operations for " << seconds
            << " s: at most " << most << " calls each, processor time " << used
            << " in all (" << share * 100 << " % each)" << std::endl;
  if (absl::GetFlag(FLAGS_bar)) {
    EXPECT_LT(share, 0.02);
  }
}

}  // namespace
}  // namespace flow_testing

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
