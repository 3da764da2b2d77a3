// SocketOptions: what is checked before the kernel is asked, and what the
// kernel is told.

#include "flow/net/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/socket_setup.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::SocketOptions;
using flow::Syscalls;
using flow::UniqueFd;
using flow::internal::PrepareAccepted;
using flow::internal::PrepareSocket;
using flow::internal::SocketRole;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

int Get(int fd, int level, int number) {
  int value = -1;
  socklen_t length = sizeof(value);
  EXPECT_EQ(getsockopt(fd, level, number, &value, &length), 0);
  return value;
}

linger GetLinger(int fd) {
  linger value = {-1, -1};
  socklen_t length = sizeof(value);
  EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &length), 0);
  return value;
}

UniqueFd TcpSocket() { return UniqueFd(socket(AF_INET, SOCK_STREAM, 0)); }

absl::Status Prepare(int fd, SocketRole role, const SocketOptions& options) {
  return PrepareSocket(Syscalls::Real(), fd, AF_INET, role, options, "there");
}

sockaddr_in Loopback() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Notes the options that are set; the first of them fails if told so.
class Noting : public Syscalls {
 public:
  int Setsockopt(int fd, int level, int number, const void* value,
                 socklen_t length) override {
    set.push_back(number);
    if (error != 0) {
      errno = error;
      return -1;
    }
    return Syscalls::Setsockopt(fd, level, number, value, length);
  }
  std::vector<int> set;
  int error = 0;
};

TEST(SocketOptionsTest, NodelayIsTheDefaultForTcp) {
  for (const SocketRole role : {SocketRole::kDial, SocketRole::kListen}) {
    const UniqueFd fd = TcpSocket();
    ASSERT_THAT(Prepare(fd.get(), role, {}), IsOk());
    EXPECT_NE(Get(fd.get(), IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_EQ(Get(fd.get(), SOL_SOCKET, SO_REUSEADDR) != 0,
              role == SocketRole::kListen);
    SocketOptions off;
    off.nodelay = false;
    const UniqueFd other = TcpSocket();
    ASSERT_THAT(Prepare(other.get(), role, off), IsOk());
    EXPECT_EQ(Get(other.get(), IPPROTO_TCP, TCP_NODELAY), 0);
  }
}

TEST(SocketOptionsTest, WhatIsSetReachesTheKernel) {
  SocketOptions options;
  options.keepalive = flow::Keepalive{true, absl::Seconds(77)};
  options.send_buffer = 20000;
  options.receive_buffer = 30000;
  options.reset_at_close = true;
  options.reuse_address = true;
  options.reuse_port = true;
  options.bind = flow::BindAddress{"127.0.0.1", 0};
  const UniqueFd fd = TcpSocket();
  ASSERT_THAT(Prepare(fd.get(), SocketRole::kDial, options), IsOk());
  EXPECT_NE(Get(fd.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(Get(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE), 77);
  EXPECT_GE(Get(fd.get(), SOL_SOCKET, SO_SNDBUF), 20000);
  EXPECT_GE(Get(fd.get(), SOL_SOCKET, SO_RCVBUF), 30000);
  EXPECT_EQ(GetLinger(fd.get()).l_onoff, 1);
  EXPECT_EQ(GetLinger(fd.get()).l_linger, 0);
  EXPECT_NE(Get(fd.get(), SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_NE(Get(fd.get(), SOL_SOCKET, SO_REUSEPORT), 0);
  sockaddr_in local = {};
  socklen_t length = sizeof(local);
  ASSERT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &length),
            0);
  EXPECT_EQ(local.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_NE(local.sin_port, 0);
}

TEST(SocketOptionsTest, AcceptedTcpConnectionsInheritThemWithoutACall) {
  SocketOptions options;
  options.nodelay = true;
  options.keepalive = flow::Keepalive{true, absl::Seconds(77)};
  options.send_buffer = 20000;
  options.reset_at_close = true;
  const UniqueFd listener = TcpSocket();
  ASSERT_THAT(Prepare(listener.get(), SocketRole::kListen, options), IsOk());
  sockaddr_in at = Loopback();
  socklen_t length = sizeof(at);
  auto* const generic = reinterpret_cast<sockaddr*>(&at);
  ASSERT_EQ(bind(listener.get(), generic, length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), generic, &length), 0);
  const UniqueFd client = TcpSocket();
  ASSERT_EQ(connect(client.get(), generic, length), 0);
  const UniqueFd accepted(accept(listener.get(), nullptr, nullptr));
  Noting sys;
  ASSERT_THAT(PrepareAccepted(&sys, accepted.get(), AF_INET, options), IsOk());
  EXPECT_THAT(sys.set, ElementsAre());
  EXPECT_NE(Get(accepted.get(), IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(Get(accepted.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(Get(accepted.get(), IPPROTO_TCP, TCP_KEEPIDLE), 77);
  EXPECT_EQ(Get(accepted.get(), SOL_SOCKET, SO_SNDBUF),
            Get(listener.get(), SOL_SOCKET, SO_SNDBUF));
  EXPECT_EQ(GetLinger(accepted.get()).l_onoff, 1);
}

TEST(SocketOptionsTest, AcceptedUnixConnectionsAreGivenTheirBuffers) {
  SocketOptions options;
  options.send_buffer = 20000;
  auto [a, b] = RawSocketPair();
  ASSERT_THAT(PrepareAccepted(Syscalls::Real(), a.get(), AF_UNIX, options),
              IsOk());
  EXPECT_EQ(Get(a.get(), SOL_SOCKET, SO_SNDBUF), 40000);
  EXPECT_NE(Get(b.get(), SOL_SOCKET, SO_SNDBUF), 40000);
}

TEST(SocketOptionsTest, ModeIsOfTheSocketBeforeItIsBound) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
  SocketOptions options;
  options.mode = 0640;
  ASSERT_THAT(PrepareSocket(Syscalls::Real(), fd.get(), AF_UNIX,
                            SocketRole::kListen, options, "there"),
              IsOk());
  struct stat now;
  ASSERT_EQ(fstat(fd.get(), &now), 0);
  EXPECT_EQ(now.st_mode & 0777, 0640u);
}

TEST(SocketOptionsTest, ValuesOutOfRangeAreNamedBeforeTheKernelIsAsked) {
  const UniqueFd fd = TcpSocket();
  Noting sys;
  const auto prepare = [&](const SocketOptions& options) {
    return PrepareSocket(&sys, fd.get(), AF_INET, SocketRole::kDial, options,
                         "there");
  };
  SocketOptions bad;
  bad.send_buffer = -1;
  EXPECT_THAT(prepare(bad),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("\"send-buffer\": bad value \"-1\"")));
  bad = {};
  bad.keepalive = flow::Keepalive{true, absl::Milliseconds(1500)};
  EXPECT_THAT(prepare(bad), StatusIs(StatusCode::kInvalidArgument,
                                     HasSubstr("\"keepalive\"")));
  bad = {};
  bad.bind = flow::BindAddress{"localhost", 0};
  EXPECT_THAT(prepare(bad),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("localhost:0")));
  bad = {};
  bad.interface_name = std::string("a\nb");
  EXPECT_THAT(prepare(bad),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("a\\nb")));
  bad = {};
  bad.v6only = true;
  EXPECT_THAT(prepare(bad), StatusIs(StatusCode::kInvalidArgument,
                                     HasSubstr("\"v6only\" is not for")));
  EXPECT_THAT(sys.set, ElementsAre());
}

TEST(SocketOptionsTest, WhatTheKernelRefusesNamesOptionValueAndAddress) {
  const UniqueFd fd = TcpSocket();
  Noting sys;
  sys.error = EPERM;
  SocketOptions options;
  options.send_buffer = 4096;
  options.receive_buffer = 4096;
  EXPECT_THAT(PrepareSocket(&sys, fd.get(), AF_INET, SocketRole::kDial, options,
                            "tcp 10.0.0.1:80"),
              StatusIs(StatusCode::kPermissionDenied,
                       AllOf(HasSubstr("setsockopt() failed"),
                             HasSubstr("send-buffer=4096, tcp 10.0.0.1:80"))));
  EXPECT_THAT(sys.set, ElementsAre(SO_SNDBUF));
}

TEST(SocketOptionsTest, InterfacesAndAddressesThatAreNotThereAreErrors) {
  SocketOptions options;
  options.interface_name = "nonesuch0";
  const UniqueFd fd = TcpSocket();
  // Who may not use SO_BINDTODEVICE at all is told that.
  EXPECT_THAT(Prepare(fd.get(), SocketRole::kDial, options),
              StatusIs(testing::AnyOf(StatusCode::kNotFound,
                                      StatusCode::kPermissionDenied),
                       HasSubstr("interface=nonesuch0")));
  options = {};
  options.bind = flow::BindAddress{"192.0.2.1", 0};  // RFC 5737: nobody's
  EXPECT_THAT(
      Prepare(fd.get(), SocketRole::kDial, options),
      StatusIs(StatusCode::kUnavailable, HasSubstr("bind=192.0.2.1:0")));
  options.bind = flow::BindAddress{"::1", 0};  // for an IPv4 socket
  EXPECT_THAT(Prepare(fd.get(), SocketRole::kDial, options),
              StatusIs(StatusCode::kUnavailable, HasSubstr("no IPv4")));
}

TEST(SocketOptionsTest, ALiveFlowsOptionsCanBeChangedAndRead) {
  auto [raw, peer] = RawTcpPair();
  absl::StatusOr<flow::Flow> f = flow::Adopt(std::move(raw));
  ASSERT_THAT(f, IsOk());
  SocketOptions options;
  options.nodelay = true;
  options.keepalive = flow::Keepalive{true, absl::Seconds(9)};
  options.receive_buffer = 10000;
  options.reset_at_close = true;
  ASSERT_THAT(flow::SetSocketOptions(*f, options), IsOk());
  absl::StatusOr<SocketOptions> now = flow::GetSocketOptions(*f);
  ASSERT_THAT(now, IsOk());
  EXPECT_THAT(now->nodelay, Optional(true));
  EXPECT_EQ(now->keepalive, options.keepalive);
  EXPECT_THAT(now->receive_buffer, Optional(20000));  // Linux doubles it
  EXPECT_THAT(now->reset_at_close, Optional(true));
  options = {};
  options.nodelay = false;
  options.keepalive = flow::Keepalive{false, {}};
  ASSERT_THAT(flow::SetSocketOptions(*f, options), IsOk());
  now = flow::GetSocketOptions(*f);
  ASSERT_THAT(now, IsOk());
  EXPECT_THAT(now->nodelay, Optional(false));
  EXPECT_FALSE(now->keepalive->on);
}

TEST(SocketOptionsTest, WhatHasToBeThereFromBirthIsRefusedLater) {
  auto [raw, peer] = RawTcpPair();
  absl::StatusOr<flow::Flow> f = flow::Adopt(std::move(raw));
  ASSERT_THAT(f, IsOk());
  SocketOptions options;
  options.nodelay = true;
  options.reuse_port = true;
  Noting sys;
  EXPECT_THAT(flow::SetSocketOptions(*f, options, &sys),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("\"reuse-port\" is not for a TCP connection "
                                 "that is there already")));
  EXPECT_THAT(sys.set, ElementsAre());
}

TEST(SocketOptionsTest, FlowsWithoutASocketAreFailedPreconditions) {
  absl::StatusOr<std::pair<flow::Flow, flow::Flow>> pipe = flow::Pipe();
  ASSERT_THAT(pipe, IsOk());
  EXPECT_THAT(flow::GetSocketOptions(pipe->first),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(flow::SetSocketOptions(flow::Flow(), {}),
              StatusIs(StatusCode::kFailedPrecondition));
}

// P1, P3: no byte is lost behind a clean end, and Close doesn't wait.
TEST(SocketOptionsTest, ResetAtCloseIsSeenByThePeer) {
  auto [raw, peer] = RawTcpPair();
  absl::StatusOr<flow::Flow> f = flow::Adopt(std::move(raw));
  absl::StatusOr<flow::Flow> other = flow::Adopt(std::move(peer));
  ASSERT_THAT(f, IsOk());
  ASSERT_THAT(other, IsOk());
  SocketOptions options;
  options.reset_at_close = true;
  ASSERT_THAT(flow::SetSocketOptions(*f, options), IsOk());
  f->Close().IgnoreError();
  EXPECT_THAT(other->Read(absl::Seconds(20)), IsKind(flow::ErrorKind::kReset));
}

TEST(SocketOptionsTest, OverKeepsWhatIsSetAndTakesTheRest) {
  SocketOptions text;
  text.nodelay = false;
  SocketOptions program;
  program.nodelay = true;
  program.send_buffer = 1;
  program.reclaim = true;
  const SocketOptions both = text.Over(program);
  EXPECT_EQ(both.ToString(), "nodelay=no,send-buffer=1,reclaim=yes");
  EXPECT_EQ(SocketOptions().ToString(), "");
  EXPECT_NE(both, program);
  EXPECT_EQ(SocketOptions().Over(program), program);
}

}  // namespace
}  // namespace flow_testing
