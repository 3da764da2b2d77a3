// Reads of TLS spin before they sleep where those below would (P4;
// flow/adaptive_reads.h): the answer to a small request is there before a
// thread could be woken for it.

#include <atomic>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/intercepting_syscalls.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_test_support.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Flow;
using flow::MonoTime;

// Its clock goes on when it is read, and by 10 us with each poll. The peer
// answers after the so-manieth recv(2) in vain, or in the poll.
class AnsweringKernel : public InterceptingSyscalls {
 public:
  MonoTime Now() override {
    // Not within a try: that of the peer would meet it inside OpenSSL.
    if (due_.exchange(false)) Answer();
    return MonoTime::FromNanos(now_.fetch_add(30) + 30);
  }
  MonoTime CoarseNow() override { return Now(); }
  bool SpinningHelps() const override { return true; }
  void AnswerAtVainRead(int count, Flow* peer) {
    vain_ = 0;
    polls_ = 0;
    answer_at_ = count;
    peer_ = peer;
  }
  int vain() const { return vain_; }
  int polls() const { return polls_; }

 protected:
  int64_t OnCall(const Request& request, Real real) override {
    if (request.call == Call::kPoll) {
      ++polls_;
      now_ += 10'000;
      Answer();
    }
    const int64_t result = real(Request::kAllBytes);
    if (request.call == Call::kRecv && result < 0 && ++vain_ == answer_at_) {
      due_ = true;
    }
    return result;
  }

 private:
  void Answer() {
    if (peer_ != nullptr && peer_->Write("x").ok()) peer_ = nullptr;
  }

  std::atomic<int64_t> now_{1'000'000'000};
  std::atomic<int> vain_{0};
  std::atomic<int> polls_{0};
  std::atomic<bool> due_{false};
  int answer_at_ = 0;
  Flow* peer_ = nullptr;
};

class TlsSpinTest : public ::testing::Test {
 protected:
  void Connect(bool spins) {
    RawPair raw = RawSocketPair();
    flow::FdOptions options;
    options.sys = &sys_;
    options.adaptive.spins = spins;
    Flow near = flow::Adopt(std::move(raw.first), options).value();
    Flow far = flow::Adopt(std::move(raw.second)).value();
    const flow::TlsClient client =
        flow::TlsClient::Create(GoodClient()).value();
    const flow::TlsServer server =
        flow::TlsServer::Create(GoodServer()).value();
    TlsPair tls =
        HandshakeOver({std::move(near), std::move(far)}, client, server);
    ASSERT_TRUE(tls.first.ok() && tls.second.ok())
        << tls.first.status() << tls.second.status();
    near_ = std::move(tls.first->flow);
    far_ = std::move(tls.second->flow);
  }
  // Asks, and reads the answer that comes after so many reads in vain.
  void AskAnsweredAt(int count) {
    ASSERT_TRUE(near_.Write("ask").ok());
    sys_.AnswerAtVainRead(count, &far_);
    char into[8];
    const auto got = near_.ReadInto(into, absl::Hours(1));
    ASSERT_TRUE(got.ok()) << got.status();
  }

  AnsweringKernel sys_;
  Flow near_;
  Flow far_;
};

constexpr int kInThePoll = 1'000;

TEST_F(TlsSpinTest, FindsTheAnswerWithoutSleeping) {
  Connect(/*spins=*/true);
  AskAnsweredAt(kInThePoll);
  EXPECT_EQ(sys_.polls(), 1);
  for (int i = 0; i < 20; ++i) {
    AskAnsweredAt(3);
    EXPECT_EQ(sys_.polls(), 0) << i;
    EXPECT_EQ(sys_.vain(), 3) << i;
  }
}

TEST_F(TlsSpinTest, TriesABoundedNumberOfTimesInVain) {
  Connect(/*spins=*/true);
  AskAnsweredAt(kInThePoll);
  AskAnsweredAt(kInThePoll);
  EXPECT_GT(sys_.vain(), 3);
  EXPECT_LE(sys_.vain(), 13);
  // Remembered.
  AskAnsweredAt(kInThePoll);
  EXPECT_EQ(sys_.vain(), 1);
}

TEST_F(TlsSpinTest, IsTurnedOffWithTheFlowBelow) {
  Connect(/*spins=*/false);
  for (int i = 0; i < 5; ++i) {
    AskAnsweredAt(kInThePoll);
    EXPECT_EQ(sys_.vain(), 1) << i;
  }
}

}  // namespace
}  // namespace flow_testing
