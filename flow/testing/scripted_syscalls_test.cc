#include "flow/testing/scripted_syscalls.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

// No kernel is asked, so any number will do.
constexpr int kFd = 1000;

std::string Received(ScriptedSyscalls* sys, size_t count) {
  std::string bytes(count, '?');
  const ssize_t n = sys->Recv(kFd, &bytes[0], count, 0);
  return n < 0 ? ErrnoName(errno) : bytes.substr(0, static_cast<size_t>(n));
}

// P7: the kernel's answers come as they were written down.
TEST(ScriptedSyscallsTest, AnswersComeInTheOrderOfTheScript) {
  ScriptedSyscalls sys({
      script::Recv("hel"),
      script::Recv(script::Err(EINTR)).Times(2),
      script::Recv(3),
      script::Recv(2),
      script::Recv(0),
  });
  EXPECT_EQ(Received(&sys, 10), "hel");
  EXPECT_EQ(Received(&sys, 10), "EINTR");
  EXPECT_EQ(Received(&sys, 10), "EINTR");
  EXPECT_EQ(Received(&sys, 10), "abc");
  EXPECT_EQ(Received(&sys, 10), PatternBytes(3, 2));
  EXPECT_EQ(Received(&sys, 10), "");
  EXPECT_EQ(sys.calls(), 6);
  EXPECT_TRUE(sys.Verify());
}

// P2: what writes accepted can be compared with what was to be sent, also from
// the middle of a piece.
TEST(ScriptedSyscallsTest, KeepsTheBytesThatWritesAccepted) {
  ScriptedSyscalls sys({
      script::Sendmsg(4).Requesting(6).Offering("abcdef"),
      script::Send(2).Offering("ef"),
      script::Write(script::Err(EPIPE)),
  });
  std::string a = "abc";
  std::string b = "def";
  iovec pieces[] = {{&a[0], 3}, {&b[0], 3}};
  msghdr message = {};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  EXPECT_EQ(sys.Sendmsg(kFd, &message, 0), 4);
  EXPECT_EQ(sys.Send(kFd, &b[1], 2, 0), 2);
  EXPECT_EQ(sys.Write(kFd, "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(sys.written(), "abcdef");
}

// P2: reads scatter over the pieces.
TEST(ScriptedSyscallsTest, BytesAreScatteredOverTheCallersPieces) {
  ScriptedSyscalls sys({script::Readv("hello")});
  std::string a = "??";
  std::string b = "????";
  const iovec pieces[] = {{&a[0], 2}, {&b[0], 4}};
  EXPECT_EQ(sys.Readv(kFd, pieces, 2), 5);
  EXPECT_EQ(a + b, "hello?");
}

// P4: polls are part of the script, with the events that they report.
TEST(ScriptedSyscallsTest, PollReportsScriptedEventsOfTheFirstDescriptor) {
  ScriptedSyscalls sys({
      script::Poll(script::Err(EINTR)),
      script::Poll(script::Ready(POLLIN | POLLHUP)),
      script::Poll(0),
  });
  pollfd fds[] = {{kFd, POLLIN, 0}, {kFd + 1, POLLIN, 0}};
  EXPECT_EQ(sys.Poll(fds, 2, 10), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_EQ(sys.Poll(fds, 2, 10), 1);
  EXPECT_EQ(fds[0].revents, POLLIN | POLLHUP);
  EXPECT_EQ(fds[1].revents, 0);
  EXPECT_EQ(sys.Poll(fds, 2, 10), 0);
  EXPECT_EQ(fds[0].revents, 0);
}

// A call that is not the one of the script fails the test, and the caller.
TEST(ScriptedSyscallsTest, AnotherCallThanTheScriptsFailsTheTest) {
  ScriptedSyscalls sys({script::Recv(1)});
  ssize_t result = 0;
  EXPECT_NONFATAL_FAILURE(result = sys.Send(kFd, "x", 1, 0),
                          "the script has recv here");
  EXPECT_EQ(result, -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_NONFATAL_FAILURE(sys.Verify(), "the script still has recv");
}

// Running out of script fails the test.
TEST(ScriptedSyscallsTest, OneCallTooManyFailsTheTest) {
  ScriptedSyscalls sys({script::Recv(1)});
  EXPECT_EQ(Received(&sys, 1), "a");
  EXPECT_NONFATAL_FAILURE(Received(&sys, 1), "the script is at its end");
  EXPECT_FALSE(sys.Verify());
}

// A script that was not played to its end fails the test by itself.
TEST(ScriptedSyscallsTest, UnusedStepsFailTheTestInTheDestructor) {
  EXPECT_NONFATAL_FAILURE(
      ScriptedSyscalls sys({script::Recv(1), script::Send(1)}),
      "the script still has recv and 1 more steps");
}

// P2: what the caller asks for is part of the script where it says so.
TEST(ScriptedSyscallsTest, WrongArgumentsFailTheTest) {
  ScriptedSyscalls sys({script::Send(2).OnFd(kFd).Offering("ab")});
  EXPECT_NONFATAL_FAILURE(sys.Send(kFd + 1, "ab", 2, 0), "the script has fd");
  EXPECT_NONFATAL_FAILURE(sys.Send(kFd, "ax", 2, 0), "bytes are not those");
  EXPECT_NONFATAL_FAILURE(sys.Send(kFd, "a", 1, 0), "bytes are not those");
  EXPECT_EQ(sys.Send(kFd, "ab", 2, 0), 2);
}

// A kernel never moves more than it was asked to; neither does a script.
TEST(ScriptedSyscallsTest, MovingMoreThanWasAskedForFailsTheTest) {
  ScriptedSyscalls sys({script::Recv("hello")});
  char small[2];
  EXPECT_NONFATAL_FAILURE(sys.Recv(kFd, small, 2, 0), "moves 5 bytes");
  EXPECT_EQ(Received(&sys, 5), "hello");
}

// What the script is not about goes to the kernel.
TEST(ScriptedSyscallsTest, OtherCallsAreRealWhenAskedFor) {
  ScriptedSyscalls sys({script::Recv(script::Err(ECONNRESET))},
                       ScriptedSyscalls::Others::kReal);
  int fds[2];
  ASSERT_EQ(sys.Socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  flow::UniqueFd a(fds[0], &sys);
  flow::UniqueFd b(fds[1], &sys);
  EXPECT_EQ(sys.Send(a.get(), "x", 1, 0), 1);
  char c;
  EXPECT_EQ(sys.Recv(b.get(), &c, 1, 0), -1);
  EXPECT_EQ(sys.Read(b.get(), &c, 1), 1);
  EXPECT_EQ(c, 'x');
}

// P5: a scripted failure of close(2) does not leak the descriptor.
TEST(ScriptedSyscallsTest, FailingCloseClosesAllTheSame) {
  ScriptedSyscalls sys({
      script::Close(script::Err(EIO)),
      script::Recv(script::Real()),
  });
  int fds[2];
  ASSERT_EQ(sys.Pipe(fds, 0), 0);
  EXPECT_EQ(sys.Close(fds[0]), -1);
  EXPECT_EQ(errno, EIO);
  char c;
  EXPECT_EQ(sys.Recv(fds[0], &c, 1, 0), -1);
  EXPECT_EQ(errno, EBADF);
  flow::UniqueFd rest(fds[1]);
}

// Something may happen while a call is under way.
TEST(ScriptedSyscallsTest, ActionRunsBeforeTheAnswer) {
  bool ran = false;
  ScriptedSyscalls sys({script::Accept(5).AndDo([&] { ran = true; })});
  EXPECT_EQ(sys.Accept(kFd, nullptr, nullptr, 0), 5);
  EXPECT_TRUE(ran);
}

// The trace reads like strace, with descriptors by order of appearance.
TEST(ScriptedSyscallsTest, TraceIsReadable) {
  ScriptedSyscalls sys({
      script::Recv(script::Err(EAGAIN)),
      script::Poll(script::Ready(POLLIN)),
      script::Recv(3),
      script::Accept(77),
  });
  Received(&sys, 9);
  pollfd p = {kFd, POLLIN, 0};
  sys.Poll(&p, 1, 5);
  Received(&sys, 9);
  sys.Accept(kFd + 1, nullptr, nullptr, 0);
  EXPECT_EQ(sys.trace().ToString(),
            "recv(#1, 9) = -1 EAGAIN [script]\n"
            "poll(#1:IN, timed) = 1 [script]\n"
            "recv(#1, 9) = 3 [script]\n"
            "accept4(#2) = #3 [script]\n");
}

}  // namespace
}  // namespace flow_testing
