// Close against a Read, hundreds of thousands of times, and each time the
// descriptor's number is at once that of a stranger's connection, which has
// bytes waiting.
//
//   bazel run -c opt //flow:close_race_test -- --iters=1000000
//
// A race that always ends the same way has not been run, so each round aims at
// one of the ways, and the histogram is part of the claim. Many lanes race at
// once: a Close waits up to 20 ms for a Read that has just fallen asleep
// (flow/sleeper.h), and the other lanes' descriptors are strangers, too.

#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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

ABSL_FLAG(int, iters, 4'000, "How many Closes.");
ABSL_FLAG(int, lanes, 64, "How many at once.");

namespace flow_testing {
namespace {

using flow::Activity;
using flow::Flow;

enum Outcome : size_t { kBefore, kMeanwhile, kData, kWrong, kOutcomes };

constexpr char kForeign = 'F';

void Linger(int spins) {
  for (volatile int i = 0; i < spins; i = i + 1) {
  }
}

// Reads once from each flow that it is given.
class Reader {
 public:
  // Of flows on which this byte comes, and no other.
  explicit Reader(char ours) : ours_(ours), thread_([this] { Run(); }) {}
  ~Reader() {
    Give(nullptr);
    thread_.join();
  }

  // It reads after so many turns of an empty loop.
  void Give(Flow* flow, int pause = 0) {
    absl::MutexLock lock(&mu_);
    flow_ = flow;
    pause_ = pause;
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
      Linger(pause_);
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
    if (got.ok() && !got->is_eof() && got->data() == 1 && bytes[0] == ours_) {
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

  const char ours_;
  Flow* flow_ = nullptr;
  int pause_ = 0;
  Outcome outcome_ = kWrong;
  std::string words_;
  absl::Mutex mu_;
  bool given_ = false;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

void SendByte(int fd, char byte) {
  ASSERT_EQ(::send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT), 1);
}

class Race {
 public:
  // Close as nearly as can be at the instant of the Read; at one that sleeps;
  // against a byte that comes.
  enum Aim : size_t { kAtOnce, kAsleep, kWithData };

  explicit Race(int lane)
      : ours_(static_cast<char>('G' + lane)), random_(lane), reader_(ours_) {}

  void Round(Aim aim);

  std::array<uint64_t, kOutcomes> counts = {};
  uint64_t reused = 0;

 private:
  const char ours_;
  std::minstd_rand random_;
  int late_ = 1000;  // how long the Read waits, so that both may be first
  Reader reader_;
};

void Race::Round(Aim aim) {
  RawPair ends = RawSocketPair();
  const int number = ends.first.get();
  absl::StatusOr<Flow> flow = flow::Adopt(std::move(ends.first));
  ASSERT_TRUE(flow.ok());
  const int pause = static_cast<int>(random_() % 4000);
  reader_.Give(&*flow, aim == kAtOnce ? late_ : 0);
  switch (aim) {
    case kAtOnce:
      Linger(2 * pause);
      break;
    case kAsleep:
      while (flow->GetStats().reading != Activity::kFd && !reader_.done()) {
        sched_yield();
      }
      break;
    case kWithData:
      SendByte(ends.second.get(), ours_);
      Linger(pause);
      // Mostly the byte is to be first.
      while (pause % 8 != 0 && !reader_.done()) sched_yield();
      break;
  }
  ASSERT_TRUE(flow->Close().ok());
  // The lowest numbers that are free.
  const RawPair strangers = RawSocketPair();
  SendByte(strangers.first.get(), kForeign);
  SendByte(strangers.second.get(), kForeign);
  if (strangers.first.get() == number || strangers.second.get() == number) {
    ++reused;
  }
  const Outcome outcome = reader_.Await();
  ++counts[outcome];
  if (aim == kAtOnce) {
    // How far apart the two are depends on the machine, and on what else runs.
    late_ = outcome == kBefore ? late_ * 7 / 8
                               : std::min(late_ * 5 / 4 + 100, 1 << 22);
  }
  ASSERT_NE(outcome, kWrong) << reader_.words();
  // Nobody has taken a stranger's byte.
  char byte = 0;
  ASSERT_EQ(::recv(strangers.first.get(), &byte, 1, MSG_DONTWAIT), 1);
  ASSERT_EQ(::recv(strangers.second.get(), &byte, 1, MSG_DONTWAIT), 1);
}

// P2, P3, P5.
TEST(CloseRace, EveryReadEndsAndTakesNoForeignByte) {
  const int lanes = absl::GetFlag(FLAGS_lanes);
  const int rounds = absl::GetFlag(FLAGS_iters) / lanes;
  const int fds = CountOpenFds();
  std::array<uint64_t, kOutcomes> counts = {};
  uint64_t reused = 0;
  absl::Mutex mu;
  std::vector<std::thread> threads;
  for (int lane = 0; lane < lanes; ++lane) {
    threads.emplace_back([&, lane] {
      constexpr Race::Aim kAims[] = {
          Race::kAtOnce,   Race::kWithData, Race::kAsleep, Race::kAtOnce,
          Race::kWithData, Race::kAsleep,   Race::kAtOnce};
      Race race(lane);
      for (int i = 0; i < rounds && !testing::Test::HasFatalFailure(); ++i) {
        race.Round(kAims[i % 7]);
      }
      absl::MutexLock lock(&mu);
      for (size_t i = 0; i < kOutcomes; ++i) counts[i] += race.counts[i];
      reused += race.reused;
    });
  }
  for (std::thread& thread : threads) thread.join();
  const uint64_t all = counts[kBefore] + counts[kMeanwhile] + counts[kData];
  std::cout << all << " rounds: closed before " << counts[kBefore]
            << ", closed meanwhile " << counts[kMeanwhile] << ", data first "
            << counts[kData] << "; the number was a stranger's in at least "
            << reused << std::endl;
  EXPECT_EQ(all, static_cast<uint64_t>(rounds * lanes));
  for (const Outcome outcome : {kBefore, kMeanwhile, kData}) {
    EXPECT_GE(counts[outcome] * 5, all) << outcome;
  }
  EXPECT_GT(reused, 0u);
  EXPECT_EQ(CountOpenFds(), fds);
}

}  // namespace
}  // namespace flow_testing

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
