// Close against a Read, hundreds of thousands of times, and each time the
// descriptor's number is at once that of a stranger's connection, which has
// bytes waiting.
//
//   bazel run -c opt //flow:close_race_test -- --iters=1000000
//
// A race that always ends the same way has not been run, so each round aims at
// one of the ways, and the histogram is part of the claim.

#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "gtest/gtest.h"

ABSL_FLAG(int, iters, 3'000, "How many Closes.");

namespace flow_testing {
namespace {

using flow::Activity;
using flow::Flow;

enum Outcome : size_t { kBefore, kMeanwhile, kData, kWrong, kOutcomes };

constexpr char kOurs = 'd';
constexpr char kForeign = 'F';

// Reads once from each flow that it is given.
class Reader {
 public:
  Reader() : thread_([this] { Run(); }) {}
  ~Reader() {
    Give(nullptr);
    thread_.join();
  }

  void Give(Flow* flow) {
    absl::MutexLock lock(&mu_);
    flow_ = flow;
    given_ = true;
    done_.store(false, std::memory_order_relaxed);
  }
  // The outcome of the last one.
  Outcome Await() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(
        +[](std::atomic<bool>* done) {
          return done->load(std::memory_order_relaxed);
        },
        &done_));
    return outcome_;
  }
  bool done() const { return done_.load(std::memory_order_acquire); }
  const std::string& words() const { return words_; }

 private:
  void Run() {
    for (;;) {
      {
        absl::MutexLock lock(&mu_);
        mu_.Await(absl::Condition(&given_));
        given_ = false;
        if (flow_ == nullptr) return;
      }
      const Outcome outcome = ReadOnce();
      absl::MutexLock lock(&mu_);
      outcome_ = outcome;
      done_.store(true, std::memory_order_release);
    }
  }

  Outcome ReadOnce() {
    char bytes[16];
    const absl::StatusOr<flow::OrEof<size_t>> got =
        flow_->ReadInto(absl::MakeSpan(bytes));
    if (got.ok() && !got->is_eof() && got->data() == 1 && bytes[0] == kOurs) {
      return kData;
    }
    if (flow::IsClosedLocally(got.status())) {
      return absl::IsCancelled(got.status()) ? kMeanwhile : kBefore;
    }
    words_ = !got.ok()       ? got.status().ToString()
             : got->is_eof() ? "Eof"
                             : std::string(bytes, got->data());
    return kWrong;
  }

  Flow* flow_ = nullptr;
  Outcome outcome_ = kWrong;
  std::string words_;
  absl::Mutex mu_;
  bool given_ = false;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

void Linger(int spins) {
  for (volatile int i = 0; i < spins; i = i + 1) {
  }
}

void SendByte(int fd, char byte) {
  ASSERT_EQ(::send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT), 1);
}

class Race {
 public:
  // Close as nearly as can be at the instant of the Read; at one that sleeps;
  // against a byte that comes.
  enum Aim : size_t { kAtOnce, kAsleep, kWithData, kAims };

  void Round(Aim aim);
  const std::array<uint64_t, kOutcomes>& counts() const { return counts_; }
  uint64_t reused() const { return reused_; }

 private:
  std::mt19937 random_{1};
  std::array<uint64_t, kOutcomes> counts_ = {};
  uint64_t reused_ = 0;
  Reader reader_;
};

void Race::Round(Aim aim) {
  RawPair ends = RawSocketPair();
  const int number = ends.first.get();
  absl::StatusOr<Flow> flow = flow::Adopt(std::move(ends.first));
  ASSERT_TRUE(flow.ok());
  const int pause = static_cast<int>(random_() % 4000);
  reader_.Give(&*flow);
  switch (aim) {
    case kAtOnce:
      if (pause < 1000) Linger(pause);
      break;
    case kAsleep:
      while (flow->GetStats().reading != Activity::kFd && !reader_.done()) {
        sched_yield();
      }
      break;
    case kWithData:
      SendByte(ends.second.get(), kOurs);
      Linger(pause);
      // Mostly the byte is to be first.
      while (pause % 8 != 0 && !reader_.done()) sched_yield();
      break;
    case kAims:
      break;
  }
  ASSERT_TRUE(flow->Close().ok());
  // The lowest numbers that are free.
  const RawPair strangers = RawSocketPair();
  SendByte(strangers.first.get(), kForeign);
  SendByte(strangers.second.get(), kForeign);
  reused_ += strangers.first.get() == number || strangers.second.get() == number
                 ? 1
                 : 0;
  const Outcome outcome = reader_.Await();
  ++counts_[outcome];
  ASSERT_NE(outcome, kWrong) << reader_.words();
  // Nobody has taken a stranger's byte.
  char byte = 0;
  ASSERT_EQ(::recv(strangers.first.get(), &byte, 1, MSG_DONTWAIT), 1);
  ASSERT_EQ(::recv(strangers.second.get(), &byte, 1, MSG_DONTWAIT), 1);
}

// P2, P3, P5.
TEST(CloseRace, EveryReadEndsAndTakesNoForeignByte) {
  const int iters = absl::GetFlag(FLAGS_iters);
  int fds = 0;
  std::array<uint64_t, kOutcomes> counts;
  uint64_t reused = 0;
  {
    Race race;
    race.Round(Race::kAtOnce);  // makes what a thread keeps
    fds = CountOpenFds();
    for (int i = 0; i < iters; ++i) {
      race.Round(static_cast<Race::Aim>(i % Race::kAims));
      ASSERT_FALSE(HasFatalFailure()) << "round " << i;
    }
    counts = race.counts();
    reused = race.reused();
    EXPECT_EQ(CountOpenFds(), fds);
  }
  std::cout << iters << " rounds: closed before " << counts[kBefore]
            << ", closed meanwhile " << counts[kMeanwhile] << ", data first "
            << counts[kData] << "; the number was a stranger's in " << reused
            << std::endl;
  for (const Outcome outcome : {kBefore, kMeanwhile, kData}) {
    EXPECT_GE(counts[outcome] * 5, static_cast<uint64_t>(iters)) << outcome;
  }
  EXPECT_GE(reused * 2, static_cast<uint64_t>(iters));
}

}  // namespace
}  // namespace flow_testing

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
