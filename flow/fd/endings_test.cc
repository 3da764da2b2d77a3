// How flows on fds end: by Eof, by a reset, by a reader who left, by Close (P1,
// P2, P3, P5; cases B, C, E, I.54).

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/call_set.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/fault_syscalls.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Adopt;
using flow::Borrow;
using flow::ErrorKind;
using flow::Flow;
using flow::PeerEnd;
using flow::ShutdownMode;
using flow::UniqueFd;

// Makes the next close of `fd` a reset.
void ResetOnClose(int fd) {
  const linger hard = {1, 0};
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
}

std::string ReadAll(Flow& f) {
  std::string all;
  for (;;) {
    auto got = f.Read();
    EXPECT_THAT(got, IsOk());
    if (!got.ok() || got->is_eof()) return all;
    all.append(got->data().view().data(), got->data().view().size());
  }
}

TEST(EndingsTest, PipeThatWasWrittenAndClosedGivesBytesThenEof) {  // C.13
  RawPair pipe = RawPipe();
  WriteRaw(pipe.second.get(), "0123456789");
  pipe.second.reset();
  absl::StatusOr<Flow> f = Adopt(std::move(pipe.first));
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Read(), IsData("0123456789"));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(f->Read(), IsEof());
}

TEST(EndingsTest, SocketWhosePeerWroteAndClosedGivesBytesThenEof) {  // C.14
  RawPair pair = RawSocketPair();
  WriteRaw(pair.second.get(), "foo");
  pair.second.reset();
  absl::StatusOr<Flow> f = Adopt(std::move(pair.first));
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Read(), IsData("foo"));
  EXPECT_THAT(f->Read(), IsEof());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(f->Write("x"), StatusIs(StatusCode::kFailedPrecondition));
  }
}

TEST(EndingsTest, ResetIsAnErrorEachTimeAndNeverEof) {  // B.8
  RawPair tcp = RawTcpPair();
  absl::StatusOr<Flow> f = Adopt(std::move(tcp.first));
  ASSERT_THAT(f, IsOk());
  ResetOnClose(tcp.second.get());
  tcp.second.reset();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(f->Read(), StatusIs(StatusCode::kUnavailable));
    EXPECT_THAT(f->Read(), IsKind(ErrorKind::kReset));
  }
  // P1: the other direction says the same, though the kernel has forgotten it.
  EXPECT_THAT(f->Write("x"), IsKind(ErrorKind::kReset));
}

TEST(EndingsTest, FailedWriteLeavesWhatArrivedReadable) {  // B.7
  RawPair pair = RawSocketPair();
  WriteRaw(pair.second.get(), "already here");
  pair.second.reset();
  absl::StatusOr<Flow> f = Adopt(std::move(pair.first));
  ASSERT_THAT(f, IsOk());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(f->Write("x"), IsKind(ErrorKind::kClosedByPeer));
  }
  EXPECT_THAT(f->Read(), IsData("already here"));
  EXPECT_THAT(f->Read(), IsEof());
}

TEST(EndingsTest, FdClosedBehindOurBackIsFailedPreconditionAtOnce) {  // C.16
  RawPair pair = RawSocketPair();
  absl::StatusOr<Flow> f = Borrow(pair.first.get());
  ASSERT_THAT(f, IsOk());
  pair.first.reset();
  EXPECT_THAT(f->Read(), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(f->WaitPeerEnd(PeerEnd::kGone),
              StatusIs(StatusCode::kFailedPrecondition));
}

// How often the kernel was asked to wait.
class PollCounter : public flow::Syscalls {
 public:
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    ++polls;
    return Syscalls::Poll(fds, count, timeout_ms);
  }
  std::atomic<int> polls{0};
};

// C.16: "during a blocked call -> when the wait ends; no spin": the kernel
// keeps for a poll what a close(2) in another thread has taken the number of.
TEST(EndingsTest, FdClosedBehindABlockedReadIsNoticedWhenTheWaitEnds) {
  RawPair pair = RawSocketPair();
  PollCounter kernel;
  flow::FdOptions options;
  options.sys = &kernel;
  absl::StatusOr<Flow> f = Borrow(pair.first.get(), options);
  ASSERT_THAT(f, IsOk());
  absl::Status got;
  std::thread reader([&] { got = f->Read(absl::Seconds(30)).status(); });
  // The second poll has no end of its own.
  while (kernel.polls < 2) std::this_thread::yield();
  pair.first.reset();
  WriteRaw(pair.second.get(), "x");
  reader.join();
  EXPECT_THAT(got, StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_LE(kernel.polls, 4);
  EXPECT_THAT(f->Read(), StatusIs(StatusCode::kFailedPrecondition));
}

TEST(EndingsTest, ShutdownDeliversAllBeforeTheEnd) {  // E.27
  RawPair tcp = RawTcpPair(/*buffer=*/8192);
  absl::StatusOr<Flow> f = Adopt(std::move(tcp.first));
  ASSERT_THAT(f, IsOk());
  const std::string bytes = Pattern(400000);
  std::string got;
  std::thread peer([&] { got = DrainRaw(tcp.second.get()); });
  EXPECT_THAT(f->Write(bytes), IsOk());
  EXPECT_THAT(f->Shutdown(ShutdownMode::kWrite), IsOk());
  peer.join();
  EXPECT_TRUE(got == bytes);
  tcp.second.reset();
  EXPECT_THAT(f->Read(), IsEof());
  EXPECT_THAT(f->Close(), IsOk());
}

TEST(EndingsTest, AbortIsAResetForATcpPeer) {  // E.28
  RawPair tcp = RawTcpPair();
  UniqueFd held_elsewhere(dup(tcp.first.get()));
  absl::StatusOr<Flow> f = Adopt(std::move(tcp.first));
  absl::StatusOr<Flow> peer = Adopt(std::move(tcp.second));
  ASSERT_THAT(f, IsOk());
  ASSERT_THAT(peer, IsOk());
  EXPECT_TRUE(f->abort_is_visible());
  EXPECT_THAT(f->Abort(), IsOk());
  EXPECT_THAT(peer->Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(f->Read(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(f->Write("x"), IsKind(ErrorKind::kClosedLocally));
}

// P1: never an end in order, though the call that resets at once is refused.
TEST(EndingsTest, AbortIsAResetThoughItsCallFails) {
  FaultSyscalls sys(FaultOptions::FailNth(1, EINTR, NthFault::kForever,
                                          CallSet({Call::kConnect})));
  flow::FdOptions options;
  options.sys = &sys;
  RawPair tcp = RawTcpPair();
  absl::StatusOr<Flow> f = Adopt(std::move(tcp.first), options);
  absl::StatusOr<Flow> peer = Adopt(std::move(tcp.second));
  ASSERT_THAT(f, IsOk());
  ASSERT_THAT(peer, IsOk());
  EXPECT_THAT(f->Abort(), IsOk());
  EXPECT_GT(sys.nth_faults(), 0);
  EXPECT_THAT(peer->Read(absl::Seconds(10)), IsKind(ErrorKind::kReset));
}

TEST(EndingsTest, AbortOfABorrowedSocketLeavesTheConnection) {  // P6
  RawPair tcp = RawTcpPair();
  absl::StatusOr<Flow> f = Borrow(tcp.first.get());
  ASSERT_THAT(f, IsOk());
  EXPECT_FALSE(f->abort_is_visible());
  EXPECT_THAT(f->Abort(), IsOk());
  WriteRaw(tcp.first.get(), "on");
  char text[3] = {};
  EXPECT_EQ(read(tcp.second.get(), text, 2), 2);
}

TEST(EndingsTest, ShutdownOfAnOwnedPipeClosesThatEndAlone) {
  RawPair in = RawPipe();
  RawPair out = RawPipe();
  const int in_fd = in.first.get();
  const int out_fd = out.second.get();
  absl::StatusOr<Flow> f = Adopt(std::move(in.first), std::move(out.second));
  ASSERT_THAT(f, IsOk());
  EXPECT_TRUE(f->ends_are_visible());
  EXPECT_THAT(f->Write("last"), IsOk());
  EXPECT_THAT(f->Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(DrainRaw(out.first.get()), "last");
  EXPECT_FALSE(IsOpen(out_fd));
  EXPECT_TRUE(IsOpen(in_fd));
  WriteRaw(in.second.get(), "reply");
  EXPECT_THAT(f->Read(), IsData("reply"));
  EXPECT_THAT(f->Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_FALSE(IsOpen(in_fd));
  // The numbers are somebody else's now (P5).
  const int null = open("/dev/null", O_RDWR);
  EXPECT_TRUE(null == in_fd || null == out_fd);
  EXPECT_THAT(f->Read(), IsEof());
  EXPECT_THAT(f->Write("x"), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(f->Close(), IsOk());
  EXPECT_TRUE(IsOpen(null));
  close(null);
}

TEST(EndingsTest, ReaderWhoLeavesAfterTenBytesEndsTheWriter) {  // I.54
  auto pipe = flow::Pipe();
  ASSERT_THAT(pipe, IsOk());
  auto [reader, writer] = *std::move(pipe);
  EXPECT_THAT(writer.Write("hello! wor"), IsOk());
  char taken[10];
  EXPECT_THAT(reader.ReadInto(absl::MakeSpan(taken)), IsData(10u));
  EXPECT_THAT(reader.Close(), IsOk());
  EXPECT_THAT(writer.Write("ld"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_EQ(std::string(taken, 10), "hello! wor");
}

TEST(EndingsTest, CloseWithUnsentBytesDoesNotWaitForThePeer) {  // E.29
  RawPair tcp = RawTcpPair(/*buffer=*/8192);
  const linger ten_seconds = {1, 10};
  ASSERT_EQ(setsockopt(tcp.first.get(), SOL_SOCKET, SO_LINGER, &ten_seconds,
                       sizeof(ten_seconds)),
            0);
  absl::StatusOr<Flow> f = Adopt(std::move(tcp.first));
  ASSERT_THAT(f, IsOk());
  const std::string block = Pattern(1 << 20);
  absl::Status full;
  while (full.ok()) full = f->WriteSome(block, absl::Milliseconds(50)).status();
  const flow::MonoTime start = flow::MonoTime::Now();
  EXPECT_THAT(f->Close(), IsOk());
  EXPECT_LT(flow::MonoTime::Now() - start, absl::Milliseconds(100));
}

TEST(EndingsTest, CloseReportsTheErrorOfClose2AndDoesNotTryAgain) {  // P5
  class Failing : public flow::Syscalls {
   public:
    int Close(int fd) override {
      ++closes;
      Syscalls::Close(fd);
      errno = EIO;
      return -1;
    }
    int closes = 0;
  };
  Failing sys;
  flow::FdOptions options;
  options.sys = &sys;
  RawPair pair = RawSocketPair();
  const int fd = pair.first.release();
  absl::StatusOr<Flow> f = Adopt(UniqueFd(fd, &sys), options);
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Close(), StatusIs(StatusCode::kInternal));
  EXPECT_THAT(f->Close(), StatusIs(StatusCode::kInternal));
  EXPECT_EQ(sys.closes, 1);
  EXPECT_FALSE(IsOpen(fd));
}

// DESIGN, "Scope of an error": on a flow made of two fds an error is the half's
// that met it, also one that ends both halves of a socket.
TEST(EndingsTest, AResetOfOneOfTwoFdsLeavesTheOther) {  // P1
  class Resetting : public flow::Syscalls {
   public:
    ssize_t Send(int, const void*, size_t, int) override {
      errno = ECONNRESET;
      return -1;
    }
  };
  Resetting sys;
  flow::FdOptions options;
  options.sys = &sys;
  RawPair in = RawSocketPair();
  RawPair out = RawSocketPair();
  absl::StatusOr<Flow> f =
      Adopt(std::move(in.first), std::move(out.first), options);
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Write("x"), IsKind(ErrorKind::kReset));
  ASSERT_EQ(write(in.second.get(), "still", 5), 5);
  EXPECT_THAT(f->Read(), IsData("still"));
  in.second.reset();
  EXPECT_THAT(f->Read(), IsEof());
}

// close(2): the fd is gone whatever the answer.
TEST(EndingsTest, AnInterruptedCloseIsNoFailureAndNotTriedAgain) {  // P5, P7
  class Interrupted : public flow::Syscalls {
   public:
    int Close(int fd) override {
      ++closes;
      // check:allow(eintr-close) this is the kernel that says it
      Syscalls::Close(fd);
      errno = EINTR;
      return -1;
    }
    int closes = 0;
  };
  Interrupted sys;
  flow::FdOptions options;
  options.sys = &sys;
  RawPair pair = RawSocketPair();
  absl::StatusOr<Flow> f = Adopt(UniqueFd(pair.first.release(), &sys), options);
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Close(), IsOk());
  EXPECT_EQ(sys.closes, 1);
}

TEST(EndingsTest, ForkedChildDestroysItsCopyWithoutEndingTheStream) {
  RawPair pair = RawSocketPair();
  absl::StatusOr<Flow> f = Adopt(std::move(pair.first));
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Write("a"), IsOk());
  const pid_t child = fork();
  if (child == 0) {
    *f = Flow();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(f->Write("b"), IsOk());
  EXPECT_THAT(f->Close(), IsOk());
  EXPECT_EQ(DrainRaw(pair.second.get()), "ab");
}

TEST(EndingsTest, PtyMasterReadsEofOnceTheSlaveIsClosed) {
  RawPair pty = RawPty();
  absl::StatusOr<Flow> f = Adopt(std::move(pty.first));
  ASSERT_THAT(f, IsOk());
  WriteRaw(pty.second.get(), "bye");
  EXPECT_THAT(f->Read(), IsData("bye"));
  pty.second.reset();
  for (int i = 0; i < 3; ++i) EXPECT_THAT(f->Read(), IsEof());
}

TEST(EndingsTest, TerminalWithMinZeroIsNotAtItsEnd) {  // P1
  RawPair pty = RawPty();
  termios mode;
  ASSERT_EQ(tcgetattr(pty.second.get(), &mode), 0);
  mode.c_cc[VMIN] = 0;
  mode.c_cc[VTIME] = 0;
  ASSERT_EQ(tcsetattr(pty.second.get(), TCSANOW, &mode), 0);
  absl::StatusOr<Flow> f = Borrow(pty.second.get());
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Read(absl::Milliseconds(50)),
              StatusIs(StatusCode::kDeadlineExceeded));
  WriteRaw(pty.first.get(), "typed");
  EXPECT_THAT(f->Read(), IsData("typed"));
  pty.first.reset();
  EXPECT_THAT(f->Read(), IsEof());
}

TEST(EndingsTest, EveryByteCrossesATerminalBothWays) {  // P2
  RawPair pty = RawPty();
  absl::StatusOr<Flow> master = Adopt(std::move(pty.first));
  absl::StatusOr<Flow> slave = Adopt(std::move(pty.second));
  ASSERT_THAT(master, IsOk());
  ASSERT_THAT(slave, IsOk());
  const std::string bytes = Pattern(100000);
  std::string got;
  std::thread reader([&] {
    while (got.size() < bytes.size()) {
      auto piece = master->Read();
      if (!piece.ok() || piece->is_eof()) return;
      got.append(piece->data().view().data(), piece->data().view().size());
    }
  });
  EXPECT_THAT(slave->Write(bytes), IsOk());
  reader.join();
  EXPECT_TRUE(got == bytes);
  EXPECT_THAT(slave->Close(), IsOk());
  EXPECT_EQ(ReadAll(*master), "");
}

}  // namespace
}  // namespace flow_testing
