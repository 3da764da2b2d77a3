// What Adopt and Borrow accept, change and leave alone (P5, P6).

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Adopt;
using flow::Borrow;
using flow::Flow;
using flow::UniqueFd;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Fails one kind of call.
class Refusing : public flow::Syscalls {
 public:
  explicit Refusing(int command) : command_(command) {}
  int Fcntl(int fd, int command, int argument) override {
    if (command != command_) return Syscalls::Fcntl(fd, command, argument);
    errno = ENOMEM;
    return -1;
  }

 private:
  const int command_;
};

int ClosedFd() {
  RawPair pipe = RawPipe();
  return pipe.first.get();
}

TEST(AdoptTest, FdThatIsNotOpenIsFailedPrecondition) {
  const int fd = ClosedFd();
  EXPECT_THAT(Borrow(fd), StatusIs(StatusCode::kFailedPrecondition,
                                   HasSubstr(std::to_string(fd))));
  EXPECT_THAT(Adopt(UniqueFd(ClosedFd())),
              StatusIs(StatusCode::kFailedPrecondition));
}

TEST(AdoptTest, NegativeFdIsInvalidArgument) {
  EXPECT_THAT(Borrow(-7),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("-7")));
  EXPECT_THAT(Adopt(UniqueFd()), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Borrow(0, -1), StatusIs(StatusCode::kInvalidArgument));
}

TEST(AdoptTest, WhatIsNoByteStreamIsNamed) {
  RawPair datagram = RawSocketPair(SOCK_DGRAM);
  EXPECT_THAT(Borrow(datagram.first.get()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("datagram")));
  RawPair packets = RawSocketPair(SOCK_SEQPACKET);
  EXPECT_THAT(Borrow(packets.first.get()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("seqpacket")));
  UniqueFd listening(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(listen(listening.get(), 1), 0);
  EXPECT_THAT(Borrow(listening.get()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("listening")));
  UniqueFd folder(open("/tmp", O_RDONLY | O_DIRECTORY));
  EXPECT_THAT(Borrow(folder.get()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("directory")));
  UniqueFd location(open("/tmp", O_PATH));
  EXPECT_THAT(Borrow(location.get()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("O_PATH")));
}

TEST(AdoptTest, SocketThatIsNotConnectedIsFailedPrecondition) {
  for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
    UniqueFd fd(socket(family, SOCK_STREAM, 0));
    if (!fd.valid()) continue;  // a machine without IPv6
    EXPECT_THAT(Borrow(fd.get()), StatusIs(StatusCode::kFailedPrecondition,
                                           HasSubstr("not connected")))
        << family;
  }
}

TEST(AdoptTest, ResetSocketIsStillAFlowAndTellsTheReset) {  // P1
  RawPair tcp = RawTcpPair();
  const linger hard = {1, 0};
  ASSERT_EQ(
      setsockopt(tcp.second.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)),
      0);
  ASSERT_EQ(tcp.second.reset(), 0);
  absl::StatusOr<Flow> f = Adopt(std::move(tcp.first));
  ASSERT_THAT(f, IsOk());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(f->Read(), StatusIs(StatusCode::kUnavailable));
  }
}

TEST(AdoptTest, FailedAdoptClosesTheFdAndFailedBorrowDoesNot) {  // D.23, P5
  const int before = CountOpenFds();
  for (const int command : {F_GETFL, F_SETFD, F_SETFL}) {
    Refusing sys(command);
    flow::FdOptions options;
    options.sys = &sys;
    for (int i = 0; i < 1000; ++i) {
      RawPair pipe = RawPipe();
      EXPECT_FALSE(Adopt(std::move(pipe.first), options).ok());
      RawPair sockets = RawSocketPair();
      RawPair more = RawSocketPair();
      EXPECT_FALSE(
          Adopt(std::move(sockets.first), std::move(more.first), options).ok());
    }
  }
  RawPair datagram = RawSocketPair(SOCK_DGRAM);
  EXPECT_FALSE(Borrow(datagram.first.get()).ok());
  EXPECT_TRUE(IsOpen(datagram.first.get()));
  const int fd = datagram.first.get();
  EXPECT_FALSE(Adopt(std::move(datagram.first)).ok());
  EXPECT_FALSE(IsOpen(fd));
  datagram.second.reset();
  EXPECT_EQ(CountOpenFds(), before);
}

TEST(AdoptTest, SameFdTwiceIsRefusedAndClosedOnce) {  // P5
  RawPair sockets = RawSocketPair();
  const int fd = sockets.first.release();
  EXPECT_THAT(Adopt(UniqueFd(fd), UniqueFd(fd)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("twice")));
  EXPECT_FALSE(IsOpen(fd));
}

TEST(AdoptTest, AdoptedSocketIsNonBlockingCloseOnExecAndDoesNotLinger) {
  RawPair tcp = RawTcpPair();
  const linger two_seconds = {1, 2};
  const int fd = tcp.first.get();
  ASSERT_EQ(
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &two_seconds, sizeof(two_seconds)),
      0);
  absl::StatusOr<Flow> f = Adopt(std::move(tcp.first));
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(f->native_handle(), fd);
  EXPECT_TRUE(StatusFlags(fd) & O_NONBLOCK);
  EXPECT_TRUE(FdFlags(fd) & FD_CLOEXEC);
  linger now = {1, 2};
  socklen_t length = sizeof(now);
  ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &now, &length), 0);
  EXPECT_EQ(now.l_onoff, 0);
}

TEST(AdoptTest, AdoptedPipeIsNonBlockingAFileIsNot) {
  RawPair pipe = RawPipe();
  const int fd = pipe.first.get();
  absl::StatusOr<Flow> f = Adopt(std::move(pipe.first));
  ASSERT_THAT(f, IsOk());
  EXPECT_TRUE(StatusFlags(fd) & O_NONBLOCK);
  EXPECT_TRUE(FdFlags(fd) & FD_CLOEXEC);

  const int null = open("/dev/null", O_RDWR);
  absl::StatusOr<Flow> g = Adopt(UniqueFd(null));
  ASSERT_THAT(g, IsOk());
  EXPECT_FALSE(StatusFlags(null) & O_NONBLOCK);
  EXPECT_TRUE(FdFlags(null) & FD_CLOEXEC);
}

TEST(AdoptTest, EverythingMadeHereIsCloseOnExec) {  // M.80
  auto sockets = flow::SocketPair();
  auto pipe = flow::Pipe();
  ASSERT_THAT(sockets, IsOk());
  ASSERT_THAT(pipe, IsOk());
  for (const Flow* f :
       {&sockets->first, &sockets->second, &pipe->first, &pipe->second}) {
    EXPECT_TRUE(FdFlags(f->native_handle()) & FD_CLOEXEC);
  }
}

TEST(AdoptTest, NamesAreTheKernelsUnlessGiven) {
  RawPair tcp = RawTcpPair();
  absl::StatusOr<Flow> f = Borrow(tcp.first.get());
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(f->local().scheme(), "tcp");
  EXPECT_EQ(f->local().port() != 0, true);
  EXPECT_NE(f->local(), f->peer());

  RawPair pipe = RawPipe();
  absl::StatusOr<Flow> g = Borrow(pipe.first.get(), pipe.second.get());
  ASSERT_THAT(g, IsOk());
  EXPECT_THAT(g->local().ToString(),
              AllOf(HasSubstr("in pipe fd "), HasSubstr("out pipe fd ")));

  flow::FdOptions options;
  options.local = flow::Endpoint::Named("here");
  options.peer = flow::Endpoint::Named("there");
  absl::StatusOr<Flow> h = Borrow(pipe.first.get(), options);
  ASSERT_THAT(h, IsOk());
  EXPECT_EQ(h->local().ToString(), "here");
  EXPECT_EQ(h->peer().ToString(), "there");
}

TEST(AdoptTest, DirectionThatWasNotOpenedIsAtItsEndFromTheStart) {
  auto pipe = flow::Pipe();
  ASSERT_THAT(pipe, IsOk());
  EXPECT_THAT(pipe->second.Read(), IsEof());
  EXPECT_THAT(pipe->first.Write("x"), IsKind(flow::ErrorKind::kClosedLocally));
}

TEST(AdoptTest, ReleasedFdIsOpenAndTheCallers) {  // P5
  auto pair = flow::SocketPair();
  ASSERT_THAT(pair, IsOk());
  const int fd = pair->first.native_handle();
  absl::StatusOr<UniqueFd> released = pair->first.ReleaseFd();
  ASSERT_THAT(released, IsOk());
  EXPECT_EQ(released->get(), fd);
  EXPECT_TRUE(IsOpen(fd));
  RawPair pipe = RawPipe();
  absl::StatusOr<Flow> borrowed = Borrow(pipe.first.get());
  ASSERT_THAT(borrowed, IsOk());
  EXPECT_THAT(borrowed->ReleaseFd(), StatusIs(StatusCode::kUnimplemented));
}

}  // namespace
}  // namespace flow_testing
