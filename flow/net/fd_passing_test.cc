// Descriptors through unix sockets: each once, none too many, none leaked.

#include "flow/net/fd_passing.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/layers/throttle.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/peer_credentials.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Flow;
using flow::kMaxFdsAtOnce;
using flow::OrEof;
using flow::ReceivedFds;
using flow::RecvFds;
using flow::SendFds;
using flow::UniqueFd;
using testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

std::pair<Flow, Flow> UnixPair() {
  auto pair = flow::SocketPair();
  EXPECT_THAT(pair, IsOk());
  return *std::move(pair);
}

ReceivedFds Receive(Flow& from, size_t max_fds) {
  absl::StatusOr<OrEof<ReceivedFds>> got = RecvFds(from, max_fds, kLong);
  EXPECT_THAT(got, IsOk());
  if (!got.ok() || got->is_eof()) return {};
  return std::move(got->data());
}

// Whether nobody holds the other end of this pipe any more. Would block for
// ever otherwise, were it not non-blocking.
bool IsAbandoned(const UniqueFd& read_end) {
  char byte;
  return read(read_end.get(), &byte, 1) == 0;
}

ino_t Inode(int fd) {
  struct stat status = {};
  EXPECT_EQ(fstat(fd, &status), 0);
  return status.st_ino;
}

TEST(FdPassingTest, ADescriptorArrivesWithItsBytes) {
  auto [a, b] = UnixPair();
  RawPair pipe = RawPipe();
  ASSERT_THAT(SendFds(a, {pipe.second.get()}, "take this", kLong), IsOk());
  pipe.second.reset();
  const ReceivedFds got = Receive(b, 1);
  EXPECT_EQ(got.data.view(), "take this");
  EXPECT_FALSE(got.fds_lost);
  ASSERT_EQ(got.fds.size(), 1);
  EXPECT_EQ(FdFlags(got.fds[0].get()), FD_CLOEXEC);  // P5
  WriteRaw(got.fds[0].get(), "x");
  char byte = 0;
  EXPECT_EQ(read(pipe.first.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  EXPECT_EQ(a.GetStats().bytes_written, 9);
  EXPECT_EQ(b.GetStats().bytes_read, 9);
  EXPECT_THAT(a.Close(), IsOk());
  EXPECT_TRUE(RecvFds(b, 1, kLong)->is_eof());
}

// "Plain Reads must close unasked-for fds": the kernel does.
TEST(FdPassingTest, AReadLeavesNothingOfWhatItDidNotAskFor) {
  auto [a, b] = UnixPair();
  RawPair pipe = RawPipe(O_NONBLOCK);
  const int fds = CountOpenFds();
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(SendFds(a, {pipe.second.get(), pipe.second.get()}, "hostile"),
                IsOk());
  }
  EXPECT_THAT(b.Read(kLong), IsData("hostile"));
  char into[7];
  EXPECT_THAT(b.ReadInto(absl::MakeSpan(into), kLong), IsOk());
  EXPECT_EQ(Receive(b, 0).fds_lost, true);
  EXPECT_EQ(CountOpenFds(), fds);
  pipe.second.reset();
  EXPECT_TRUE(IsAbandoned(pipe.first));
}

// Any number sent, any number asked for: the first ones, in order, and no leak.
TEST(FdPassingTest, AsManyArriveAsWereAskedForWhateverWasSent) {
  auto [a, b] = UnixPair();
  std::vector<UniqueFd> files;
  for (size_t i = 0; i < kMaxFdsAtOnce; ++i) {
    files.emplace_back(RawPipe().first.release());
  }
  const int fds = CountOpenFds();
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const size_t sent = round < 2 ? kMaxFdsAtOnce : random() % 254;
    const size_t asked = round < 2 ? kMaxFdsAtOnce - round : random() % 254;
    SCOPED_TRACE(absl::StrCat(sent, " sent, ", asked, " asked for"));
    std::vector<int> numbers;
    for (size_t i = 0; i < sent; ++i) numbers.push_back(files[i].get());
    ASSERT_THAT(SendFds(a, numbers, "x", kLong), IsOk());
    const ReceivedFds got = Receive(b, asked);
    ASSERT_EQ(got.fds.size(), std::min(sent, asked));
    EXPECT_EQ(got.fds_lost, sent > asked);
    for (size_t i = 0; i < got.fds.size(); ++i) {
      ASSERT_EQ(Inode(got.fds[i].get()), Inode(numbers[i]));
    }
  }
  EXPECT_EQ(CountOpenFds(), fds);
}

// "Each passed exactly once when the data is written in part."
TEST(FdPassingTest, DescriptorsGoOnceWithALongWrite) {
  auto [from, to] = UnixPair();
  Flow& a = from;
  const RawPair pipe = RawPipe();
  const std::string bytes = Pattern(4 << 20);
  std::thread writer([&] {
    EXPECT_THAT(SendFds(a, {pipe.second.get()}, bytes, kLong), IsOk());
    EXPECT_THAT(a.Close(), IsOk());
  });
  std::string all;
  size_t fds = 0;
  for (;;) {
    auto got = RecvFds(to, 8, kLong);
    ASSERT_THAT(got, IsOk());
    if (got->is_eof()) break;
    EXPECT_TRUE(all.empty() || got->data().fds.empty());
    fds += got->data().fds.size();
    all += std::string(got->data().data.view());
  }
  writer.join();
  EXPECT_EQ(fds, 1);
  EXPECT_EQ(all, bytes);
}

TEST(FdPassingTest, RefusedArgumentsSendNothingAndHarmNothing) {
  auto [a, b] = UnixPair();
  const RawPair pipe = RawPipe();
  const std::vector<int> too_many(kMaxFdsAtOnce + 1, pipe.first.get());
  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(SendFds(a, too_many, "x"), refused);
  EXPECT_THAT(SendFds(a, {pipe.first.get()}, ""), refused);
  EXPECT_THAT(RecvFds(b, kMaxFdsAtOnce + 1), refused);
  EXPECT_THAT(
      SendFds(a, {pipe.first.get(), -1}, "x"),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("send_fds")));
  // Not one byte, and the flow goes on.
  EXPECT_THAT(SendFds(a, {}, "plain", kLong), IsOk());
  EXPECT_THAT(b.Read(kLong), IsData("plain"));
  // The state comes first.
  EXPECT_THAT(a.Close(), IsOk());
  EXPECT_THAT(SendFds(a, too_many, ""),
              IsKind(flow::ErrorKind::kClosedLocally));
  EXPECT_THAT(RecvFds(a, 1000), IsKind(flow::ErrorKind::kClosedLocally));
  Flow none;
  EXPECT_THAT(SendFds(none, {0}, "x"), IsKind(flow::ErrorKind::kClosedLocally));
  EXPECT_THAT(RecvFds(none, 1), IsKind(flow::ErrorKind::kClosedLocally));
}

TEST(FdPassingTest, OnlyUnixSocketsPassDescriptors) {
  RawPair tcp = RawTcpPair();
  absl::StatusOr<Flow> tcp_flow = flow::Adopt(std::move(tcp.first));
  auto pipe = flow::Pipe();
  auto memory = MemoryPair();
  // A layer would be gone round.
  auto [under, peer] = UnixPair();
  absl::StatusOr<Flow> throttled = flow::Throttle(std::move(under), {});
  ASSERT_THAT(throttled, IsOk());
  ASSERT_THAT(tcp_flow, IsOk());
  ASSERT_THAT(pipe, IsOk());
  const auto unimplemented = StatusIs(absl::StatusCode::kUnimplemented,
                                      HasSubstr("not a flow on a unix socket"));
  for (Flow* flow : {&*tcp_flow, &pipe->second, &memory.first, &*throttled}) {
    EXPECT_THAT(SendFds(*flow, {0}, "x", kLong), unimplemented);
    EXPECT_THAT(flow->Write("y", kLong), IsOk()) << "goes on";
  }
  for (Flow* flow : {&*tcp_flow, &pipe->first, &memory.second, &*throttled}) {
    EXPECT_THAT(RecvFds(*flow, 1, kLong), unimplemented);
  }
  EXPECT_THAT(pipe->first.Read(kLong), IsData("y"));
}

// P3 and the direction's queue: as Read and Write.
TEST(FdPassingTest, LimitsAndCloseDoWhatTheyDoToReadAndWrite) {
  auto [from, to] = UnixPair();
  Flow& a = from;
  Flow& b = to;
  EXPECT_THAT(RecvFds(b, 1, absl::Milliseconds(20)),
              IsKind(flow::ErrorKind::kDeadline));
  // Full: nothing goes, and so nothing has happened.
  const std::string block(1 << 20, 'b');
  while (a.WriteSome(block, absl::Milliseconds(100)).ok()) {
  }
  const RawPair pipe = RawPipe();
  EXPECT_THAT(
      SendFds(a, {pipe.second.get()}, "x", absl::Milliseconds(20)),
      testing::AllOf(IsKind(flow::ErrorKind::kDeadline), HasBytesDone(0)));
  EXPECT_FALSE(flow::IsSealed(a.Write("")));
  while (b.Read(absl::Milliseconds(20)).ok()) {
  }
  // Cut in the middle: sealed, and the descriptor has gone.
  const std::string too_long(8 << 20, 'c');
  const absl::Status cut =
      SendFds(a, {pipe.second.get()}, too_long, absl::Milliseconds(200));
  EXPECT_THAT(cut, IsKind(flow::ErrorKind::kDeadline));
  EXPECT_GT(flow::BytesDone(cut), 0);
  EXPECT_TRUE(flow::IsSealed(SendFds(a, {pipe.second.get()}, "x")));
  EXPECT_EQ(Receive(b, 1).fds.size(), 1);
}

TEST(FdPassingTest, CloseWakesWhoWaitsForDescriptors) {
  auto [from, to] = UnixPair();
  Flow& b = to;
  std::thread first([&b] {
    EXPECT_THAT(RecvFds(b, 1), StatusIs(absl::StatusCode::kCancelled));
  });
  std::thread second([&b] {
    EXPECT_THAT(RecvFds(b, 1), StatusIs(absl::StatusCode::kCancelled));
  });
  while (b.GetStats().queued_reads == 0) std::this_thread::yield();
  EXPECT_THAT(b.Close(), IsOk());
  first.join();
  second.join();
}

// P1: a reset that RecvFds meets is the answer of Read, too.
TEST(FdPassingTest, EndingsStickForBoth) {
  auto [a, b] = UnixPair();
  EXPECT_THAT(b.Write("unread", kLong), IsOk());
  EXPECT_THAT(b.Write("unread", kLong), IsOk());
  EXPECT_THAT(a.Close(), IsOk());  // with bytes unread: a reset
  EXPECT_TRUE(flow::IsReset(RecvFds(b, 1, kLong).status()));
  EXPECT_TRUE(flow::IsReset(b.Read(kLong).status()));
  EXPECT_FALSE(SendFds(b, {0}, "x", kLong).ok());
}

// No number is left in this process: said, not hidden, and the bytes are there.
TEST(FdPassingTest, AShortageOfNumbersIsSaid) {
  auto [a, b] = UnixPair();
  const RawPair pipe = RawPipe();
  ASSERT_THAT(SendFds(a, {pipe.first.get(), pipe.second.get()}, "x"), IsOk());
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const ReceivedFds got = Receive(b, 2);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(got.data.view(), "x");
  EXPECT_TRUE(got.fds.empty());
  EXPECT_TRUE(got.fds_lost);
}

TEST(FdPassingTest, BorrowedSocketsPassDescriptorsToo) {
  const RawPair sockets = RawSocketPair();
  absl::StatusOr<Flow> a = flow::Borrow(sockets.first.get());
  absl::StatusOr<Flow> b = flow::Borrow(sockets.second.get());
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  EXPECT_THAT(SendFds(*a, {0}, "x", kLong), IsOk());
  EXPECT_EQ(Receive(*b, 1).fds.size(), 1);
}

TEST(PeerCredentialsTest, SayWhoConnected) {
  const ShortTempDir folder;
  absl::StatusOr<flow::Listener> listener =
      flow::Listen(absl::StrCat("unix:", folder.Path("s")));
  ASSERT_THAT(listener, IsOk());
  const std::string path = folder.Path("s");
  const pid_t child = fork();
  if (child == 0) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    char byte;
    // Stays until it is closed.
    const bool good = connect(fd, reinterpret_cast<sockaddr*>(&address),
                              sizeof(address)) == 0 &&
                      read(fd, &byte, 1) == 0;
    _exit(good ? 0 : 1);
  }
  absl::StatusOr<Flow> server = listener->Accept(kLong);
  ASSERT_THAT(server, IsOk());
  const absl::StatusOr<flow::Credentials> peer = flow::PeerCredentials(*server);
  ASSERT_THAT(peer, IsOk());
  EXPECT_EQ(peer->pid, child);
  EXPECT_EQ(peer->uid, getuid());
  EXPECT_EQ(peer->gid, getgid());
  EXPECT_THAT(server->Close(), IsOk());
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(flow::PeerCredentials(*server),
              IsKind(flow::ErrorKind::kClosedLocally));
}

TEST(PeerCredentialsTest, AreThoseBelowALayerAndNotThereElsewhere) {
  auto [under, peer] = UnixPair();
  const absl::StatusOr<Flow> throttled = flow::Throttle(std::move(under), {});
  ASSERT_THAT(throttled, IsOk());
  const absl::StatusOr<flow::Credentials> self =
      flow::PeerCredentials(*throttled);
  ASSERT_THAT(self, IsOk());
  EXPECT_EQ(self->pid, getpid());
  RawPair tcp = RawTcpPair();
  absl::StatusOr<Flow> tcp_flow = flow::Adopt(std::move(tcp.first));
  auto pipe = flow::Pipe();
  const auto memory = MemoryPair();
  const auto unimplemented = StatusIs(absl::StatusCode::kUnimplemented);
  EXPECT_THAT(flow::PeerCredentials(*tcp_flow), unimplemented);
  EXPECT_THAT(flow::PeerCredentials(pipe->first), unimplemented);
  EXPECT_THAT(flow::PeerCredentials(memory.first), unimplemented);
  EXPECT_THAT(flow::PeerCredentials(Flow()),
              IsKind(flow::ErrorKind::kClosedLocally));
}

}  // namespace
}  // namespace flow_testing
