// How one direction moves bytes: what goes into one call, and what becomes of
// the kernel's answers (P2, P7; cases A.2, I.52, I.53, K.67).

#include "flow/fd/fd_end.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <deque>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/fd/fd.h"
#include "flow/fd/fd_kind.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/testing/fault_syscalls.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Attempt;
using flow::Flow;
using flow::internal::Examine;
using flow::internal::FdEnd;
using flow::internal::kMaxBytes;
using flow::internal::kMaxIovecs;
using flow::internal::Trim;

// Answers sends as told, receives never; remembers what was asked.
class Scripted : public flow::Syscalls {
 public:
  ssize_t Send(int, const void*, size_t count, int flags) override {
    ++calls;
    EXPECT_EQ(flags, MSG_DONTWAIT | MSG_NOSIGNAL);
    return Answer(count);
  }
  ssize_t Sendmsg(int, const msghdr* message, int flags) override {
    ++calls;
    EXPECT_EQ(flags, MSG_DONTWAIT | MSG_NOSIGNAL);
    pieces = message->msg_iovlen;
    size_t total = 0;
    for (size_t i = 0; i < pieces; ++i) total += message->msg_iov[i].iov_len;
    return Answer(total);
  }
  flow::MonoTime Now() override { return now; }

  std::deque<int> errors;  // then success
  int calls = 0;
  size_t pieces = 0;
  size_t asked = 0;
  flow::MonoTime now = flow::MonoTime::FromNanos(1'000'000'000);

 private:
  ssize_t Answer(size_t count) {
    asked = count;
    if (errors.empty()) return static_cast<ssize_t>(count);
    errno = errors.front();
    errors.pop_front();
    return -1;
  }
};

class FdEndTest : public ::testing::Test {
 protected:
  FdEndTest()
      : pair_(RawSocketPair()),
        end_(&sys_, *Examine(&sys_, pair_.first.get()), /*owned=*/true,
             /*for_writing=*/true, flow::ErrorScope::kFlow) {}

  Attempt Send(size_t bytes) {
    const iovec piece = {memory_, bytes};
    return end_.TryWrite(absl::MakeConstSpan(&piece, 1));
  }

  char memory_[16] = {};
  Scripted sys_;
  RawPair pair_;
  FdEnd end_;
};

TEST(TrimTest, WhatFitsIsPassedOnAsItIs) {
  char memory[8];
  const std::vector<iovec> pieces(kMaxIovecs, iovec{memory, 8});
  iovec cut;
  const auto trimmed = Trim(pieces, kMaxBytes, cut);
  EXPECT_EQ(trimmed.data(), pieces.data());
  EXPECT_EQ(trimmed.size(), pieces.size());
}

TEST(TrimTest, NoMoreThan1024PiecesAndNoMoreBytesThanOneCallCanCarry) {  // I.53
  char memory[8];
  iovec cut;
  const std::vector<iovec> many(1025, iovec{memory, 1});
  EXPECT_EQ(Trim(many, kMaxBytes, cut).size(), 1024u);
  // Nobody looks at this memory: lengths alone count.
  const iovec big[] = {{memory, kMaxBytes - 1}, {memory, 2}};
  EXPECT_EQ(Trim(big, kMaxBytes, cut).size(), 1u);
  const iovec huge[] = {{memory, size_t{1} << 40}, {memory, 2}};
  const auto trimmed = Trim(huge, kMaxBytes, cut);
  ASSERT_EQ(trimmed.size(), 1u);
  EXPECT_EQ(trimmed[0].iov_base, memory);
  EXPECT_EQ(trimmed[0].iov_len, kMaxBytes);
}

TEST_F(FdEndTest, OneCallCarriesAtMost0x7ffff000Bytes) {
  EXPECT_EQ(Send(size_t{5} << 30).n(), kMaxBytes);
  EXPECT_EQ(sys_.asked, kMaxBytes);
}

TEST_F(FdEndTest, SeveralPiecesGoInOneCall) {
  const iovec pieces[] = {{memory_, 3}, {memory_ + 3, 4}};
  EXPECT_EQ(end_.TryWrite(pieces).n(), 7u);
  EXPECT_EQ(sys_.calls, 1);
  EXPECT_EQ(sys_.pieces, 2u);
}

TEST_F(FdEndTest, InterruptionsAreRetriedWithExactlySoManyCallsMore) {  // A.2
  for (int k = 1; k <= 3; ++k) {
    sys_.calls = 0;
    sys_.errors.assign(static_cast<size_t>(k), EINTR);
    EXPECT_EQ(Send(5).n(), 5u);
    EXPECT_EQ(sys_.calls, k + 1);
  }
}

TEST_F(FdEndTest, FullBufferIsAWaitForRoom) {
  sys_.errors = {EAGAIN};
  const Attempt a = Send(5);
  ASSERT_TRUE(a.would_block());
  EXPECT_EQ(a.wait().fd, pair_.first.get());
  EXPECT_EQ(a.wait().events, POLLOUT);
  EXPECT_TRUE(a.wait().until.is_never());
}

TEST_F(FdEndTest, ShortageIsWaitedOut1To50MsAndForgottenOnSuccess) {  // K.67
  for (int round = 0; round < 2; ++round) {
    for (const int ms : {1, 2, 4, 8, 16, 32, 50, 50}) {
      sys_.errors = {ms % 2 == 0 ? ENOBUFS : ENOMEM};
      const Attempt a = Send(5);
      ASSERT_TRUE(a.would_block());
      EXPECT_EQ(a.wait().fd, -1);
      EXPECT_EQ(a.wait().until, sys_.now + absl::Milliseconds(ms));
    }
    EXPECT_EQ(Send(5).n(), 5u);
  }
}

TEST_F(FdEndTest, ErrorReachesAsFarAsTheTableSaysOnASocket) {
  sys_.errors = {ECONNRESET};
  Attempt a = Send(5);
  ASSERT_TRUE(a.failed());
  EXPECT_EQ(a.scope(), flow::ErrorScope::kFlow);
  sys_.errors = {EPIPE};
  a = Send(5);
  EXPECT_EQ(a.scope(), flow::ErrorScope::kDirection);
  EXPECT_EQ(a.error_kind(), flow::ErrorKind::kClosedByPeer);
}

TEST_F(FdEndTest, ErrorStaysInItsDirectionOnAPairOfFds) {
  FdEnd end(&sys_, *Examine(&sys_, pair_.first.get()), true, true,
            flow::ErrorScope::kDirection);
  sys_.errors = {ECONNRESET};
  const iovec piece = {memory_, 1};
  EXPECT_EQ(end.TryWrite(absl::MakeConstSpan(&piece, 1)).scope(),
            flow::ErrorScope::kDirection);
}

TEST(FdExactBytesTest, ShortWritesOf1To7BytesLoseNothing) {  // I.52
  FaultOptions options;
  options.seed = SeedOr(52);
  options.max_transfer = 7;
  options.interrupted = 0.1;
  options.no_buffers = 0.0005;
  FaultSyscalls sys(options);
  SCOPED_TRACE(sys.ToString());
  flow::FdOptions fd_options;
  fd_options.sys = &sys;
  RawPair pair = RawSocketPair();
  absl::StatusOr<Flow> f = flow::Adopt(std::move(pair.first), fd_options);
  ASSERT_THAT(f, IsOk());
  const std::string bytes = Pattern(1 << 20);
  const absl::string_view view = bytes;
  std::string got;
  std::thread peer([&] { got = DrainRaw(pair.second.get()); });
  const absl::string_view pieces[] = {view.substr(0, 1), view.substr(1, 500000),
                                      view.substr(500001)};
  EXPECT_THAT(f->Writev(pieces), IsOk());
  EXPECT_THAT(f->Shutdown(flow::ShutdownMode::kWrite), IsOk());
  peer.join();
  EXPECT_TRUE(got == bytes);
  EXPECT_GT(sys.faults(), 1000);
}

TEST(FdExactBytesTest, AnyNumberOfPiecesArrivesInOrder) {  // I.53
  for (const bool pipe : {false, true}) {
    for (const size_t count : {0, 10, 1023, 1024, 1025, 10000}) {
      auto pair = pipe ? flow::Pipe() : flow::SocketPair();
      ASSERT_THAT(pair, IsOk());
      const std::string bytes = Pattern(count);
      std::vector<absl::string_view> pieces;
      for (size_t i = 0; i < count; ++i) {
        pieces.push_back(absl::string_view(bytes).substr(i, 1));
      }
      EXPECT_THAT(pair->second.Writev(pieces), IsOk());
      EXPECT_THAT(pair->second.Close(), IsOk());
      std::string got;
      for (;;) {
        auto piece = pair->first.Read();
        ASSERT_THAT(piece, IsOk());
        if (piece->is_eof()) break;
        got.append(piece->data().view().data(), piece->data().view().size());
      }
      EXPECT_EQ(got, bytes);
    }
  }
}

}  // namespace
}  // namespace flow_testing
