// What WaitPeerEnd knows of peers behind fds, and that it neither guesses nor
// spins (P1, P4).

#include <fcntl.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Adopt;
using flow::Borrow;
using flow::Flow;
using flow::PeerEnd;
using flow::ShutdownMode;

constexpr absl::Duration kSoon = absl::Milliseconds(40);

class CountingPolls : public flow::Syscalls {
 public:
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    ++polls;
    return Syscalls::Poll(fds, count, timeout_ms);
  }
  std::atomic<int> polls{0};
};

class PeerEndTest : public ::testing::Test {
 protected:
  absl::StatusOr<Flow> Own(flow::UniqueFd fd) {
    flow::FdOptions options;
    options.sys = &sys_;
    return Adopt(std::move(fd), options);
  }

  // Waits in vain for 500 ms, and makes at most 10 polls on it (P4: 20 a
  // second).
  void ExpectQuiet(Flow& f, PeerEnd end) {
    sys_.polls = 0;
    EXPECT_THAT(f.WaitPeerEnd(end, absl::Milliseconds(500)),
                StatusIs(StatusCode::kDeadlineExceeded));
    EXPECT_LE(sys_.polls, 10);
  }

  CountingPolls sys_;
};

TEST_F(PeerEndTest, TcpHalfCloseIsFinishedNotGone) {
  RawPair tcp = RawTcpPair();
  absl::StatusOr<Flow> f = Own(std::move(tcp.first));
  ASSERT_THAT(f, IsOk());
  ExpectQuiet(*f, PeerEnd::kFinished);
  ASSERT_EQ(shutdown(tcp.second.get(), SHUT_WR), 0);
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kFinished),
              IsOkAndHolds(PeerEnd::kFinished));
  ExpectQuiet(*f, PeerEnd::kGone);
}

TEST_F(PeerEndTest, TcpResetIsGoneAndTheReadStillTellsIt) {  // SO_ERROR uneaten
  RawPair tcp = RawTcpPair();
  absl::StatusOr<Flow> f = Own(std::move(tcp.first));
  ASSERT_THAT(f, IsOk());
  const linger hard = {1, 0};
  ASSERT_EQ(
      setsockopt(tcp.second.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)),
      0);
  tcp.second.reset();
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kFinished), IsOkAndHolds(PeerEnd::kGone));
  EXPECT_THAT(f->Read(), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
}

TEST_F(PeerEndTest, TcpOwnShutdownIsNotTakenForThePeers) {
  RawPair tcp = RawTcpPair();
  absl::StatusOr<Flow> f = Own(std::move(tcp.first));
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Shutdown(ShutdownMode::kRead), IsOk());
  ExpectQuiet(*f, PeerEnd::kFinished);
  EXPECT_THAT(f->Shutdown(ShutdownMode::kWrite), IsOk());
  ExpectQuiet(*f, PeerEnd::kFinished);
  ExpectQuiet(*f, PeerEnd::kGone);
  tcp.second.reset();
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone, absl::Seconds(5)),
              IsOkAndHolds(PeerEnd::kGone));
}

TEST_F(PeerEndTest, UnixPeerThatClosedIsGone) {
  RawPair pair = RawSocketPair();
  absl::StatusOr<Flow> f = Own(std::move(pair.first));
  ASSERT_THAT(f, IsOk());
  ExpectQuiet(*f, PeerEnd::kGone);
  pair.second.reset();
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
}

TEST_F(PeerEndTest, UnixBothShutForWritingIsFinishedNotGone) {
  RawPair pair = RawSocketPair();
  absl::StatusOr<Flow> f = Own(std::move(pair.first));
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Shutdown(ShutdownMode::kWrite), IsOk());
  ExpectQuiet(*f, PeerEnd::kFinished);
  ASSERT_EQ(shutdown(pair.second.get(), SHUT_WR), 0);
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kFinished),
              IsOkAndHolds(PeerEnd::kFinished));
  ExpectQuiet(*f, PeerEnd::kGone);
}

TEST_F(PeerEndTest, PipesTellWhoIsLeft) {
  RawPair in = RawPipe();
  RawPair out = RawPipe();
  flow::FdOptions options;
  options.sys = &sys_;
  absl::StatusOr<Flow> f = Borrow(in.first.get(), out.second.get(), options);
  ASSERT_THAT(f, IsOk());
  ExpectQuiet(*f, PeerEnd::kFinished);
  in.second.reset();
  // Not gone: the other pipe still has a reader.
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kFinished),
              IsOkAndHolds(PeerEnd::kFinished));
  ExpectQuiet(*f, PeerEnd::kGone);
  out.first.reset();
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
}

// A file still takes what comes, though nobody writes to the pipe any more.
TEST_F(PeerEndTest, FileToWriteToIsNeverGone) {
  RawPair in = RawPipe();
  in.second.reset();
  const flow::UniqueFd file(open("/dev/null", O_WRONLY | O_CLOEXEC));
  absl::StatusOr<Flow> f = Borrow(in.first.get(), file.get());
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone),
              StatusIs(StatusCode::kUnimplemented));
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kFinished),
              IsOkAndHolds(PeerEnd::kFinished));
}

TEST_F(PeerEndTest, WatcherDoesNotKeepAnOwnedPipeOpen) {  // P5
  RawPair pipe = RawPipe();
  absl::StatusOr<Flow> f = Own(std::move(pipe.second));
  ASSERT_THAT(f, IsOk());
  ExpectQuiet(*f, PeerEnd::kGone);
  flow::CancelSource stop;
  std::thread watcher([&] {
    EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone, stop.token()),
                StatusIs(StatusCode::kCancelled));
  });
  while (sys_.polls < 4) std::this_thread::yield();
  EXPECT_THAT(f->Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(DrainRaw(pipe.first.get()), "");  // the end is seen meanwhile
  stop.Cancel();
  watcher.join();
}

TEST_F(PeerEndTest, TerminalThatHangsUpIsGone) {
  RawPair pty = RawPty();
  absl::StatusOr<Flow> f = Own(std::move(pty.second));
  ASSERT_THAT(f, IsOk());
  ExpectQuiet(*f, PeerEnd::kGone);
  pty.first.reset();
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
}

TEST_F(PeerEndTest, PastLimitIsToldFirst) {
  RawPair pair = RawSocketPair();
  absl::StatusOr<Flow> f = Own(std::move(pair.first));
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone, absl::ZeroDuration()),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone, kSoon),
              StatusIs(StatusCode::kDeadlineExceeded));
}

}  // namespace
}  // namespace flow_testing
