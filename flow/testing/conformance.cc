#include "flow/testing/conformance.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/limits.h"
#include "flow/status.h"
#include "flow/testing/conformance_support.h"

namespace flow_testing {

std::ostream& operator<<(std::ostream& os, const ConformanceTarget& target) {
  return os << target.name;
}

std::string ConformanceName(
    const ::testing::TestParamInfo<ConformanceTarget>& info) {
  return info.param.name;
}

// A thread that waits for the test to be over.
class FlowConformance::Watchdog {
 public:
  Watchdog(std::string test, FlowConformance* suite)
      : test_(std::move(test)), suite_(suite), thread_([this] { Watch(); }) {}

  ~Watchdog() {
    {
      absl::MutexLock lock(&mu_);
      over_ = true;
    }
    thread_.join();
  }

  void Step(absl::string_view what) {
    absl::MutexLock lock(&mu_);
    step_ = std::string(what);
  }

 private:
  // Until the test is over, at most `limit`. True if it is over.
  bool Await(absl::Duration limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return mu_.AwaitWithTimeout(absl::Condition(&over_), limit);
  }

  void Watch() {
    absl::MutexLock lock(&mu_);
    if (Await(conformance::kTestLimit)) return;
    // Straight to stderr: the test's thread is stuck and reports nothing.
    std::fprintf(stderr,
                 "\n%s HANGS in: %s\n  first:  %s\n  second: %s\n"
                 "Closing both flows.\n",
                 test_.c_str(), step_.empty() ? "(start)" : step_.c_str(),
                 suite_->a().ToString().c_str(),
                 suite_->b().ToString().c_str());
    std::fflush(stderr);
    mu_.Unlock();
    ADD_FAILURE() << test_ << " hung; its flows were closed";
    suite_->a().Close().IgnoreError();
    suite_->b().Close().IgnoreError();
    mu_.Lock();
    if (Await(absl::Seconds(10))) return;
    std::fprintf(stderr, "%s still hangs after Close: giving up.\n",
                 test_.c_str());
    std::fflush(stderr);
    std::abort();
  }

  const std::string test_;
  FlowConformance* const suite_;
  absl::Mutex mu_;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  std::string step_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last: it uses the others
};

FlowConformance::FlowConformance() = default;
FlowConformance::~FlowConformance() = default;

void FlowConformance::SetUp() {
  // The first wait in a process makes Abseil map memory for the waits of all
  // threads. If that is another thread's, the thread sanitizer takes the
  // mapping for a race with whoever wakes it.
  absl::Notification().WaitForNotificationWithTimeout(absl::ZeroDuration());
  pair_ = MakePair();
  ASSERT_TRUE(a() && b()) << "no pair to test";
  // What the target says about itself has to be so, or tests would not apply
  // that should.
  EXPECT_EQ(a().abort_is_visible(), target().abort_is_visible);
  EXPECT_EQ(a().ends_are_visible(), target().ends_are_visible);
  const ::testing::TestInfo* const info =
      ::testing::UnitTest::GetInstance()->current_test_info();
  watchdog_ = std::make_unique<Watchdog>(
      absl::StrCat(info->test_suite_name(), ".", info->name()), this);
}

void FlowConformance::TearDown() {
  watchdog_.reset();
  pair_ = {};
}

std::pair<TestedFlow, TestedFlow> FlowConformance::MakePair() {
  absl::StatusOr<std::pair<flow::Flow, flow::Flow>> pair = target().make();
  EXPECT_TRUE(pair.ok()) << pair.status();
  if (!pair.ok()) return {};
  const auto drive = [this](flow::Flow flow) {
    return TestedFlow(target().driver != nullptr
                          ? target().driver(std::move(flow))
                          : DriveByBlocking(std::move(flow)));
  };
  return {drive(std::move(pair->first)), drive(std::move(pair->second))};
}

void FlowConformance::Step(absl::string_view what) { watchdog_->Step(what); }

bool FlowConformance::Applies(bool holds, absl::string_view why) {
  if (!holds) RecordProperty("does_not_apply", std::string(why));
  return holds;
}

absl::Status FlowConformance::End(TestedFlow& flow) {
  if (target().ends_are_visible) {
    return flow.Shutdown(flow::ShutdownMode::kWrite);
  }
  return flow.Close();
}

absl::Status FlowConformance::Clog(TestedFlow& writer) {
  if (target().clog != nullptr) return target().clog(writer);
  const std::string block = conformance::Pattern(1 << 16);
  for (;;) {
    const absl::StatusOr<size_t> took =
        writer.WriteSome(block, absl::Milliseconds(20));
    if (absl::IsDeadlineExceeded(took.status())) return absl::OkStatus();
    if (!took.ok()) return took.status();
  }
}

absl::StatusOr<std::string> FlowConformance::ReadCounted(size_t size) {
  if (!target().holds_back) return conformance::ReadExactly(b(), size);
  // Whoever is in a call sends what is held back: here one that reads.
  flow::CancelSource stop;
  conformance::Background<absl::Status> read(
      [&] { return a().Read(stop.token()).status(); });
  absl::StatusOr<std::string> got = conformance::ReadExactly(b(), size);
  stop.Cancel();
  read.Get().IgnoreError();
  return got;
}

absl::Status FlowConformance::ReadWhatIsLeft(TestedFlow& flow,
                                             std::string& got) const {
  const absl::Status end = conformance::ReadToEnd(flow, got);
  return target().holds_back && flow::IsTruncated(end) ? absl::OkStatus() : end;
}

absl::Status FlowConformance::UntilItBlocks(
    TestedFlow& writer, const std::function<absl::Status()>& write) {
  for (;;) {
    const absl::Status s = write();
    // Who holds back may have taken the byte, and then met the limit.
    const bool taken =
        target().holds_back && flow::BytesDone(s) > 0 && !flow::IsClosed(s);
    if (!s.ok() && !taken) return s;
    // It was not full for good: what is between the ends took some later. Not
    // byte by byte, which takes longer than a hang.
    if (s.ok()) {
      const absl::Status full = Clog(writer);
      if (!full.ok()) return full;
    }
  }
}

}  // namespace flow_testing
