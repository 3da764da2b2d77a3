// Tee: exact copies, at the pace of the slower.

#include "flow/layers/tee.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/flow.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::HasBytesDone;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::MemoryPair;
using ::flow_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

// No test waits so long: a mistake is to be a failure, not a hang.
constexpr absl::Duration kLong = absl::Seconds(20);
constexpr absl::Duration kShort = absl::Milliseconds(100);

class TeeTest : public ::testing::Test {
 protected:
  // The sinks hold `room` bytes that nobody reads.
  void Make(size_t room, SinkFailure on_failure = SinkFailure::kFail) {
    auto [below, peer] = MemoryPair(size_t{1} << 20);
    auto [read_to, reads] = MemoryPair(room, Named("read sink"));
    auto [written_to, writes] = MemoryPair(room, Named("write sink"));
    TeeOptions options;
    options.read_to = std::move(read_to);
    options.written_to = std::move(written_to);
    options.on_failure = on_failure;
    options.failed = [this](const absl::Status& failure) {
      failures_.push_back(failure);
    };
    absl::StatusOr<Flow> made = Tee(std::move(below), std::move(options));
    ASSERT_THAT(made, IsOk());
    flow_ = *std::move(made);
    peer_ = std::move(peer);
    reads_ = std::move(reads);
    writes_ = std::move(writes);
  }
  static flow_testing::MemoryPairOptions Named(std::string name) {
    flow_testing::MemoryPairOptions options;
    options.first_name = std::move(name);
    return options;
  }

  // Reads exactly `size` bytes.
  static std::string Get(Flow& flow, size_t size) {
    std::string got(size, '\0');
    size_t have = 0;
    while (have < size) {
      auto n = flow.ReadInto(absl::MakeSpan(got).subspan(have), kLong);
      if (!n.ok() || n->is_eof()) break;
      have += n->data();
    }
    got.resize(have);
    return got;
  }

  std::vector<absl::Status> failures_;  // also while flow_ is being closed
  Flow flow_;
  Flow peer_;
  Flow reads_;   // the far end of the sink of what is read
  Flow writes_;  // of what is written
};

TEST_F(TeeTest, EachSinkGetsItsDirection) {
  Make(1000);
  ASSERT_THAT(flow_.Write("question"), IsOk());
  ASSERT_THAT(peer_.Write("answer"), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("answer"));
  EXPECT_THAT(peer_.Read(kLong), IsData("question"));
  EXPECT_THAT(reads_.Read(kLong), IsData("answer"));
  EXPECT_THAT(writes_.Read(kLong), IsData("question"));
}

TEST_F(TeeTest, WithoutSinksNothingIsCopied) {
  auto [below, peer] = MemoryPair();
  absl::StatusOr<Flow> made = Tee(std::move(below), TeeOptions());
  ASSERT_THAT(made, IsOk());
  ASSERT_THAT(made->Write("x"), IsOk());
  ASSERT_THAT(peer.Write("y"), IsOk());
  EXPECT_THAT(peer.Read(kLong), IsData("x"));
  EXPECT_THAT(made->Read(), IsData("y"));
}

// "A Read has returned bytes: the sink has taken them." On a limit nothing was
// consumed (P2), and the Read goes on when the sink does.
TEST_F(TeeTest, AReadWaitsForASlowSinkAndLosesNothing) {
  Make(10);
  ASSERT_THAT(peer_.Write("0123456789abcde"), IsOk());
  EXPECT_THAT(flow_.Read(kShort), IsKind(ErrorKind::kDeadline));
  EXPECT_THAT(flow_.Read(kShort), IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(Get(reads_, 10), "0123456789");
  EXPECT_THAT(flow_.Read(kLong), IsData("0123456789abcde"));
  EXPECT_EQ(Get(reads_, 5), "abcde");
}

// Bytes that wait for the sink are given in pieces, too.
TEST_F(TeeTest, SmallReadsAfterAWaitGoOnWhereTheyStopped) {
  Make(10);
  ASSERT_THAT(peer_.Write("0123456789abcde"), IsOk());
  EXPECT_THAT(flow_.Read(kShort), IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(Get(reads_, 10), "0123456789");
  EXPECT_EQ(Get(flow_, 4), "0123");
  EXPECT_EQ(Get(flow_, 11), "456789abcde");
}

TEST_F(TeeTest, AWriteWaitsForASlowSink) {
  Make(10);
  // All of it was accepted below, but not by the sink.
  EXPECT_THAT(flow_.Write("0123456789abcde", kShort),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(Get(peer_, 15), "0123456789abcde");
  EXPECT_EQ(Get(writes_, 10), "0123456789");
  EXPECT_THAT(flow_.Write("f"), IsOk());
  EXPECT_EQ(Get(writes_, 6), "abcdef");
}

// P2 for the copies, with a sink that holds hardly anything.
TEST_F(TeeTest, CopiesAreExactWhateverThePace) {
  Make(997);
  std::string sent;
  for (int i = 0; i < 30'000; ++i) sent += static_cast<char>(i * 7 + i / 256);
  std::string copies[2];
  std::string got[2];
  std::vector<std::thread> threads;
  threads.emplace_back([&] { copies[0] = Get(reads_, sent.size()); });
  threads.emplace_back([&] { copies[1] = Get(writes_, sent.size()); });
  threads.emplace_back([&] { got[0] = Get(flow_, sent.size()); });
  threads.emplace_back([&] { got[1] = Get(peer_, sent.size()); });
  threads.emplace_back([&] { EXPECT_THAT(peer_.Write(sent), IsOk()); });
  EXPECT_THAT(flow_.Write(sent), IsOk());
  for (std::thread& thread : threads) thread.join();
  for (const std::string& bytes : {copies[0], copies[1], got[0], got[1]}) {
    EXPECT_TRUE(bytes == sent);
  }
}

// "at most 64 KiB a direction are held here".
TEST_F(TeeTest, WhatIsHeldIsBounded) {
  Make(1);
  const std::string big(300'000, 'x');
  ASSERT_THAT(peer_.Write(big), IsOk());
  std::string into(big.size(), '\0');
  EXPECT_THAT(flow_.ReadInto(absl::MakeSpan(into), kShort),
              IsKind(ErrorKind::kDeadline));
  // What the tee has not taken still fills the pair, which has room for 1 MiB.
  size_t room = 0;
  for (;;) {
    absl::StatusOr<size_t> n = peer_.WriteSome(big, kShort);
    if (!n.ok()) break;
    room += *n;
  }
  EXPECT_LE(room, (size_t{1} << 20) - big.size() + 65536);
}

TEST_F(TeeTest, ClosingEndsTheCopiesInOrder) {
  Make(1000);
  ASSERT_THAT(peer_.Write("all"), IsOk());
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("all"));
  EXPECT_THAT(flow_.Read(kLong), IsEof());
  ASSERT_THAT(flow_.Close(), IsOk());
  EXPECT_THAT(reads_.Read(kLong), IsData("all"));
  EXPECT_THAT(reads_.Read(kLong), IsEof());
  EXPECT_THAT(writes_.Read(kLong), IsEof());
}

// P10's rule: an error is an abort, so that a part is not taken for the whole.
TEST_F(TeeTest, AFailureBelowAbortsTheCopies) {
  Make(1000);
  ASSERT_THAT(peer_.Write("a part"), IsOk());
  ASSERT_THAT(peer_.Abort(), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("a part"));
  EXPECT_THAT(flow_.Read(kLong), IsKind(ErrorKind::kReset));
  ASSERT_THAT(flow_.Close(), IsOk());
  EXPECT_THAT(reads_.Read(kLong), IsData("a part"));
  EXPECT_THAT(reads_.Read(kLong), IsKind(ErrorKind::kReset));
  EXPECT_THAT(writes_.Read(kLong), IsKind(ErrorKind::kReset));
}

// P10: nor is a copy whole that lacks what its sink has not taken yet.
TEST_F(TeeTest, ClosingBeforeTheSinkHasAllAbortsTheCopy) {
  Make(10);
  ASSERT_THAT(peer_.Write("0123456789abcde"), IsOk());
  EXPECT_THAT(flow_.Read(kShort), IsKind(ErrorKind::kDeadline));
  flow_.Close().IgnoreError();
  EXPECT_THAT(reads_.Read(kLong), IsData("0123456789"));
  EXPECT_THAT(reads_.Read(kLong), IsKind(ErrorKind::kReset));
  // The other copy is whole.
  EXPECT_THAT(writes_.Read(kLong), IsEof());
}

// Fails once, as a full disk does.
class FullSink : public Transport {
 public:
  explicit FullSink(bool* aborted) : aborted_(aborted) {}
  Attempt TryRead(absl::Span<const iovec>) override { return Attempt::Eof(); }
  Attempt TryWrite(absl::Span<const iovec>) override {
    return Attempt::Failed(ENOSPC);
  }
  Attempt TryShutdown(ShutdownMode) override { return Attempt::Transferred(0); }
  void Abort() override { *aborted_ = true; }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  bool* const aborted_;
};

// P10.
TEST_F(TeeTest, ADroppedCopyIsAbortedAtTheEnd) {
  auto [below, peer] = MemoryPair();
  bool aborted = false;
  TeeOptions options;
  options.written_to = Flow(std::make_unique<FullSink>(&aborted));
  options.on_failure = SinkFailure::kDrop;
  absl::StatusOr<Flow> made = Tee(std::move(below), std::move(options));
  ASSERT_THAT(made, IsOk());
  ASSERT_THAT(made->Write("x"), IsOk());
  EXPECT_THAT(made->Close(), IsOk());
  EXPECT_TRUE(aborted);
}

TEST_F(TeeTest, AbortAbortsTheCopiesToo) {
  Make(1000);
  ASSERT_THAT(flow_.Abort(), IsOk());
  EXPECT_THAT(peer_.Read(kLong), IsKind(ErrorKind::kReset));
  EXPECT_THAT(reads_.Read(kLong), IsKind(ErrorKind::kReset));
}

// Takes nothing, and fails once it is aborted.
class StalledSink : public Transport {
 public:
  Attempt TryRead(absl::Span<const iovec>) override { return Attempt::Eof(); }
  Attempt TryWrite(absl::Span<const iovec>) override {
    if (aborted_) return Attempt::Failed(EPIPE);
    return Attempt::WouldBlock(Wait::Until(kNever));
  }
  Attempt TryShutdown(ShutdownMode) override { return Attempt::Transferred(0); }
  void Abort() override { aborted_ = true; }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  std::atomic<bool> aborted_{false};
};

// Of a flow that its owner gave up, a copy that is incomplete is no news; what
// the callback uses may be gone.
TEST_F(TeeTest, AbortTellsOfNoFailureOfItsCopies) {
  auto [below, peer] = MemoryPair();
  int told = 0;
  TeeOptions options;
  options.written_to = Flow(std::make_unique<StalledSink>());
  options.failed = [&told](const absl::Status&) { ++told; };
  absl::StatusOr<Flow> made = Tee(std::move(below), std::move(options));
  ASSERT_THAT(made, IsOk());
  EXPECT_THAT(made->Write("x", kShort), IsKind(ErrorKind::kDeadline));
  ASSERT_THAT(made->Abort(), IsOk());
  EXPECT_EQ(told, 0);
}

// kFail: the direction fails with the sink's code and words, but not as if its
// own peer were gone.
TEST_F(TeeTest, AFailedSinkFailsItsDirection) {
  Make(1000);
  ASSERT_THAT(reads_.Abort(), IsOk());
  ASSERT_THAT(peer_.Write("x"), IsOk());
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(flow_.Read(kLong),
                AllOf(StatusIs(absl::StatusCode::kUnavailable,
                               AllOf(HasSubstr("read() failed: the tee's sink"),
                                     HasSubstr("read sink -> memory b"),
                                     HasSubstr("flow tee over memory a"))),
                      IsKind(ErrorKind::kOther)));
  }
  ASSERT_THAT(flow_.Write("the other goes on"), IsOk());
  EXPECT_THAT(writes_.Read(kLong), IsData("the other goes on"));
  ASSERT_EQ(failures_.size(), 1);
  EXPECT_THAT(failures_[0], IsKind(ErrorKind::kReset));
}

TEST_F(TeeTest, AFailedSinkFailsTheWriteWithItsCount) {
  Make(1000);
  ASSERT_THAT(writes_.Close(), IsOk());
  EXPECT_THAT(flow_.Write("sent"),
              AllOf(StatusIs(absl::StatusCode::kFailedPrecondition,
                             HasSubstr("write() failed: the tee's sink")),
                    IsKind(ErrorKind::kOther), HasBytesDone(4)));
  EXPECT_THAT(peer_.Read(kLong), IsData("sent"));
}

TEST_F(TeeTest, ADroppedSinkIsToldAndTheFlowGoesOn) {
  Make(1000, SinkFailure::kDrop);
  ASSERT_THAT(reads_.Abort(), IsOk());
  ASSERT_THAT(writes_.Abort(), IsOk());
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(peer_.Write("in"), IsOk());
    EXPECT_THAT(flow_.Read(kLong), IsData("in"));
    ASSERT_THAT(flow_.Write("out"), IsOk());
    EXPECT_THAT(peer_.Read(kLong), IsData("out"));
  }
  EXPECT_EQ(failures_.size(), 2);
}

// A sink that dies while a Read waits for it lets the Read go on.
TEST_F(TeeTest, ADroppedSinkFreesTheReadThatWaitsForIt) {
  Make(1, SinkFailure::kDrop);
  ASSERT_THAT(peer_.Write("abc"), IsOk());
  EXPECT_THAT(flow_.Read(kShort), IsKind(ErrorKind::kDeadline));
  ASSERT_THAT(reads_.Abort(), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("abc"));
}

// P8: user exceptions are contained.
TEST_F(TeeTest, WhatTheCallbackThrowsIsDropped) {
  auto [below, peer] = MemoryPair();
  auto [sink, far] = MemoryPair();
  ASSERT_THAT(far.Abort(), IsOk());
  TeeOptions options;
  options.written_to = std::move(sink);
  options.on_failure = SinkFailure::kDrop;
  options.failed = [](const absl::Status&) {
    throw std::runtime_error("the user's");
  };
  absl::StatusOr<Flow> made = Tee(std::move(below), std::move(options));
  ASSERT_THAT(made, IsOk());
  EXPECT_THAT(made->Write("x"), IsOk());
}

// State table, "read: shut": what waits for the sink is dropped.
TEST_F(TeeTest, ShutdownOfReadingDropsWhatWaits) {
  Make(1);
  ASSERT_THAT(peer_.Write("abc"), IsOk());
  EXPECT_THAT(flow_.Read(kShort), IsKind(ErrorKind::kDeadline));
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsEof());
}

TEST_F(TeeTest, ASinkThatHasEndedIsRefused) {
  auto [below, peer] = MemoryPair();
  auto [sink, far] = MemoryPair();
  ASSERT_THAT(sink.Shutdown(ShutdownMode::kWrite), IsOk());
  TeeOptions options;
  options.read_to = std::move(sink);
  EXPECT_THAT(Tee(std::move(below), std::move(options)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(peer.Read(kLong), IsEof());
}

}  // namespace
}  // namespace flow
