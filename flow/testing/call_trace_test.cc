#include "flow/testing/call_trace.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <set>
#include <string>

#include "flow/sys/syscalls.h"
#include "flow/testing/call_set.h"
#include "flow/testing/intercepting_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::testing::Contains;
using ::testing::StartsWith;

Request On(Call call, int fd) {
  Request request;
  request.call = call;
  request.fd = fd;
  return request;
}

// Lets everything through, at most `limit` bytes at a time, and traces it.
class Tracing : public InterceptingSyscalls {
 public:
  explicit Tracing(size_t limit = Request::kAllBytes) : limit_(limit) {}
  CallTrace trace;

 protected:
  int64_t OnCall(const Request& request, Real real) override {
    const int64_t result = real(limit_);
    const int error = errno;
    trace.Add(request, result, error, "");
    errno = error;
    return result;
  }

 private:
  const size_t limit_;
};

TEST(CallSetTest, ReadsAndWritesAreApartAndMoveBytes) {
  for (int i = 0; i < kCallCount; ++i) {
    const Call call = static_cast<Call>(i);
    EXPECT_FALSE(CallSet::Reading().contains(call) &&
                 CallSet::Writing().contains(call))
        << call;
    EXPECT_TRUE(CallSet::All().contains(call)) << call;
    EXPECT_EQ(CallSet::AllButEventfd().contains(call), call != Call::kEventfd);
  }
  EXPECT_TRUE((CallSet::Moving() - CallSet::Reading()) == CallSet::Writing());
  EXPECT_TRUE(CallSet().empty());
}

// Torture tests go through these: no call may be without.
TEST(CallSetTest, EveryCallHasANameAndErrors) {
  std::set<std::string> names;
  for (int i = 0; i < kCallCount; ++i) {
    const Call call = static_cast<Call>(i);
    names.insert(std::string(CallName(call)));
    EXPECT_FALSE(ErrnosOf(call).empty()) << call;
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kCallCount));
  EXPECT_THAT(ErrnosOf(Call::kSend), Contains(ENOBUFS));
}

// P2: a trace does not depend on the numbers that the kernel happened to give.
TEST(CallTraceTest, DescriptorsAreNumberedByAppearanceAndAnewAfterClose) {
  CallTrace trace;
  trace.Add(On(Call::kSocket, -1), 40, 0, "");
  trace.Add(On(Call::kConnect, 40), 0, 0, "");
  trace.Add(On(Call::kClose, 40), 0, 0, "");
  trace.Add(On(Call::kSocket, -1), 40, 0, "");
  trace.Add(On(Call::kShutdown, 40), -1, ENOTCONN, "");
  EXPECT_EQ(trace.ToString(),
            "socket() = #1\n"
            "connect(#1) = 0\n"
            "close(#1) = 0\n"
            "socket() = #2\n"
            "shutdown(#2) = -1 ENOTCONN\n");
  EXPECT_EQ(trace.count(), 5);
  EXPECT_EQ(trace.count(Call::kSocket), 2);
}

// A long run does not eat the memory.
TEST(CallTraceTest, KeepsTheLastLinesAndCountsAll) {
  CallTrace trace(/*capacity=*/2);
  for (int i = 0; i < 5; ++i) trace.Add(On(Call::kFstat, 3), 0, 0, "");
  EXPECT_EQ(trace.records().size(), 2u);
  EXPECT_EQ(trace.count(Call::kFstat), 5);
  EXPECT_THAT(trace.ToString(), StartsWith("... 3 earlier calls\n"));
}

// P2: whatever form a transfer has, a limit cuts it to exact bytes.
TEST(InterceptingSyscallsTest, EveryFormOfTransferCanBeCut) {
  Tracing sys(/*limit=*/3);
  int fds[2];
  ASSERT_EQ(sys.Socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  std::string ab = "ab";
  std::string cdef = "cdef";
  iovec pieces[] = {{&ab[0], 2}, {&cdef[0], 4}};
  msghdr message = {};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  EXPECT_EQ(sys.Send(fds[0], "12345", 5, 0), 3);
  EXPECT_EQ(sys.Write(fds[0], "12345", 5), 3);
  EXPECT_EQ(sys.Writev(fds[0], pieces, 2), 3);
  EXPECT_EQ(sys.Sendmsg(fds[0], &message, 0), 3);
  EXPECT_EQ(message.msg_iovlen, 2u);

  std::string got(12, '?');
  iovec into[] = {{&got[0], 1}, {&got[1], 11}};
  message.msg_iov = into;
  EXPECT_EQ(sys.Recvmsg(fds[1], &message, 0), 3);
  EXPECT_EQ(message.msg_iov, into);
  into[0].iov_base = &got[3];
  into[1] = {&got[4], 8};
  EXPECT_EQ(sys.Readv(fds[1], into, 2), 3);
  EXPECT_EQ(sys.Recv(fds[1], &got[6], 6, 0), 3);
  EXPECT_EQ(sys.Read(fds[1], &got[9], 3), 3);
  EXPECT_EQ(got, "123123abcabc");
  sys.Close(fds[0]);
  sys.Close(fds[1]);
  EXPECT_EQ(sys.trace.count(), 11);
}

// The calls that answer in their own way do so through the interception too.
TEST(InterceptingSyscallsTest, UnusualResultsAreKept) {
  Tracing sys;
  int fds[2];
  ASSERT_EQ(sys.Pipe(fds, 0), 0);
  EXPECT_EQ(sys.Isatty(fds[0]), 0);
  const int copy = sys.Fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
  EXPECT_GE(copy, 0);
  EXPECT_THAT(sys.trace.ToString(), ::testing::HasSubstr("fcntl(#1) = #2\n"));
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  EXPECT_EQ(sys.GetAddrInfo("not an address", "1", &hints, &found), EAI_NONAME);
  ASSERT_EQ(sys.GetAddrInfo("127.0.0.1", "1", &hints, &found), 0);
  sys.FreeAddrInfo(found);
  for (int fd : {fds[0], fds[1], copy}) sys.Close(fd);
}

}  // namespace
}  // namespace flow_testing
