#include "flow/relay/relay.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/relay/relay_rig_test.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::HasBytesDone;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::Pattern;
using ::flow_testing::ReadToEof;
using ::flow_testing::RelayRig;
using ::flow_testing::SimSyscalls;
using ::flow_testing::StatusIs;
using ::flow_testing::WriteAndEnd;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr size_t kMebibyte = 1 << 20;

class RelayTest : public testing::TestWithParam<flow_testing::PairKind> {};

INSTANTIATE_TEST_SUITE_P(Over, RelayTest,
                         testing::Values(flow_testing::MemoryKind(),
                                         flow_testing::TcpKind(),
                                         flow_testing::UnixKind()),
                         [](const auto& kind) {
                           return std::string(kind.param.name);
                         });

// P10, case 89.
TEST_P(RelayTest, ReplyAfterTheClientsHalfCloseArrivesInFull) {
  RelayRig rig(GetParam());
  const std::string request = Pattern(1000);
  const std::string reply = Pattern(kMebibyte, 2);
  ASSERT_THAT(WriteAndEnd(rig.client, request), IsOk());
  EXPECT_EQ(ReadToEof(rig.server), request);
  std::thread late(
      [&] { EXPECT_THAT(WriteAndEnd(rig.server, reply), IsOk()); });
  EXPECT_EQ(ReadToEof(rig.client), reply);
  late.join();
  const RelayResult result = rig.Join();
  EXPECT_THAT(result.status(), IsOk());
  EXPECT_EQ(result.a_to_b.bytes, request.size());
  EXPECT_EQ(result.b_to_a.bytes, reply.size());
  EXPECT_EQ(result.ToString(),
            "a -> b: 1000 B in order; b -> a: 1048576 B in order");
}

// P10, case 90.
TEST_P(RelayTest, UploadAfterTheServersHalfCloseArrivesInFull) {
  RelayRig rig(GetParam());
  ASSERT_THAT(rig.server.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(rig.client.Read(), IsEof());
  const std::string upload = Pattern(kMebibyte);
  std::thread late(
      [&] { EXPECT_THAT(WriteAndEnd(rig.client, upload), IsOk()); });
  EXPECT_EQ(ReadToEof(rig.server), upload);
  late.join();
  EXPECT_THAT(rig.Join().status(), IsOk());
}

// P10, case 91.
TEST_P(RelayTest, UploadCompletesThoughTheClientNeverReads) {
  RelayRig rig(GetParam());
  const std::string upload = Pattern(32 * kMebibyte);
  CancelSource stop;
  std::thread clog([&] {
    // More than all the buffers on the way take.
    EXPECT_THAT(rig.server.Write(Pattern(32 * kMebibyte, 2), stop.token()),
                StatusIs(absl::StatusCode::kCancelled));
  });
  std::thread uploader(
      [&] { EXPECT_THAT(WriteAndEnd(rig.client, upload), IsOk()); });
  EXPECT_TRUE(ReadToEof(rig.server) == upload);
  uploader.join();
  stop.Cancel();
  clog.join();
}

// How often the kernel was asked to wait, or to look.
class PollCounter : public Syscalls {
 public:
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    ++polls;
    return Syscalls::Poll(fds, count, timeout_ms);
  }
  std::atomic<int> polls{0};
};

// P4, case C.17: the source has hung up, which its poll shows for ever, while
// the sink takes nothing: no spin. And then all of it arrives.
TEST(RelayPollTest, ASourceThatHungUpBesideAStalledSinkIsNoSpin) {
  PollCounter kernel;
  FdOptions options;
  options.sys = &kernel;
  absl::StatusOr<std::pair<Flow, Flow>> in = Pipe(options);
  absl::StatusOr<std::pair<Flow, Flow>> out = SocketPair(options);
  ASSERT_THAT(in, IsOk());
  ASSERT_THAT(out, IsOk());
  // What fits in is not known: until not even a byte does.
  size_t clog = 0;
  for (const size_t size : {size_t{65536}, size_t{1}}) {
    const std::string bytes(size, 'c');
    for (;;) {
      const ssize_t n = send(out->first.native_handle(), bytes.data(),
                             bytes.size(), MSG_DONTWAIT);
      if (n < 0) break;
      clog += static_cast<size_t>(n);
    }
  }
  ASSERT_THAT(in->second.Write("late"), IsOk());
  ASSERT_THAT(in->second.Close(), IsOk());
  CopyResult result;
  std::thread copy([&] {
    result = Copy(in->first, out->first);
    EXPECT_THAT(out->first.Shutdown(ShutdownMode::kWrite), IsOk());
  });
  while (out->first.GetStats().writing != Activity::kFd) {
    std::this_thread::yield();
  }
  const int before = kernel.polls;
  // The stall: nothing ever comes out of this pipe.
  absl::StatusOr<std::pair<Flow, Flow>> silent = Pipe();
  ASSERT_THAT(silent, IsOk());
  EXPECT_THAT(silent->first.Read(absl::Seconds(1)),
              IsKind(ErrorKind::kDeadline));
  EXPECT_LE(kernel.polls - before, 20);
  const std::string got = ReadToEof(out->second);
  copy.join();
  EXPECT_EQ(got.size(), clog + 4);
  EXPECT_EQ(got.substr(clog), "late");
  EXPECT_THAT(result.status(), IsOk());
}

// P10, case 92 (S5): over TCP a reset stays a reset.
TEST_P(RelayTest, AbortOfTheClientReachesTheServerAndTheResult) {
  RelayRig rig(GetParam());
  const bool visible = rig.client.abort_is_visible();
  ASSERT_THAT(rig.client.Write("x"), IsOk());
  ASSERT_THAT(rig.server.Read(), IsData("x"));
  const absl::Time begin = absl::Now();
  rig.client.Abort().IgnoreError();
  if (visible) {
    EXPECT_THAT(rig.server.Read(), IsKind(ErrorKind::kReset));
    const RelayResult result = rig.Join();
    EXPECT_THAT(result.status(),
                AllOf(IsKind(ErrorKind::kReset), HasBytesDone(1)));
    EXPECT_EQ(result.a_to_b.failed_side(), CopySide::kSource);
    EXPECT_EQ(result.a_to_b.bytes, 1u);
    EXPECT_TRUE(result.b_to_a.cut);
  } else {
    EXPECT_THAT(rig.server.Read(), IsEof());
  }
  EXPECT_LT(absl::Now() - begin, absl::Milliseconds(1500));
}

// P10, P2, case 92 (S7).
TEST_P(RelayTest, BothDirectionsAtOnceAreExact) {
  RelayRig rig(GetParam());
  const std::string up = Pattern(64 * kMebibyte, 1);
  const std::string down = Pattern(64 * kMebibyte, 2);
  std::thread up_writer(
      [&] { EXPECT_THAT(WriteAndEnd(rig.client, up), IsOk()); });
  std::thread down_writer(
      [&] { EXPECT_THAT(WriteAndEnd(rig.server, down), IsOk()); });
  std::thread up_reader([&] { EXPECT_TRUE(ReadToEof(rig.server) == up); });
  EXPECT_TRUE(ReadToEof(rig.client) == down);
  up_reader.join();
  up_writer.join();
  down_writer.join();
  const RelayResult result = rig.Join();
  EXPECT_THAT(result.status(), IsOk());
  EXPECT_EQ(result.a_to_b.bytes, up.size());
  EXPECT_EQ(result.b_to_a.bytes_read, down.size());
}

// P10, case 95: nobody reads from the client any more, yet its end is seen.
TEST_P(RelayTest, ClientGoneAfterItsHalfCloseEndsTheIdleServersSide) {
  RelayRig rig(GetParam());
  ASSERT_THAT(WriteAndEnd(rig.client, "request"), IsOk());
  ASSERT_EQ(ReadToEof(rig.server), "request");
  rig.client.Abort().IgnoreError();
  const RelayResult result = rig.Join();
  EXPECT_LT(result.duration, absl::Seconds(1));
  EXPECT_THAT(result.a_to_b.status(), IsOk());
  EXPECT_EQ(result.b_to_a.failed_side(), CopySide::kSink);
  EXPECT_FALSE(result.b_to_a.cut);
  EXPECT_THAT(result.status(),
              AllOf(IsKind(AnyOf(ErrorKind::kReset, ErrorKind::kClosedByPeer)),
                    StatusIs(testing::_, HasSubstr("b -> a"))));
  EXPECT_THAT(rig.server.WaitPeerEnd(PeerEnd::kGone, absl::Seconds(1)),
              IsOkAndHolds(PeerEnd::kGone));
}

// P10: what the kernel says to a Shutdown when both have ended is no error.
TEST_P(RelayTest, EndsThatMeetAreInOrder) {
  for (int i = 0; i < 100; ++i) {
    RelayRig rig(GetParam());
    std::thread other(
        [&] { EXPECT_THAT(WriteAndEnd(rig.server, "b"), IsOk()); });
    EXPECT_THAT(WriteAndEnd(rig.client, "a"), IsOk());
    EXPECT_EQ(ReadToEof(rig.client), "b");
    // The client is gone as soon as it has all, as most are.
    rig.client.Close().IgnoreError();
    EXPECT_EQ(ReadToEof(rig.server), "a");
    other.join();
    rig.server.Close().IgnoreError();
    EXPECT_THAT(rig.Join().status(), IsOk()) << "round " << i;
  }
}

// P3.
TEST_P(RelayTest, TokenFreesBothDirectionsInTime) {
  CancelSource stop;
  RelayRig rig(GetParam(), {Limits(stop.token())});
  ASSERT_THAT(rig.client.Write("x"), IsOk());
  ASSERT_THAT(rig.server.Read(), IsData("x"));
  const absl::Time begin = absl::Now();
  stop.Cancel();
  const RelayResult result = rig.Join();
  EXPECT_LT(absl::Now() - begin, absl::Milliseconds(200));
  EXPECT_THAT(result.status(), StatusIs(absl::StatusCode::kCancelled));
  // A cut stream does not look like a clean end where that can be shown.
  if (rig.client.abort_is_visible()) {
    EXPECT_THAT(rig.client.Read(), IsKind(ErrorKind::kReset));
  }
}

// P3.
TEST_P(RelayTest, DeadlineIsATotal) {
  const MonoTime deadline = MonoTime::In(absl::Milliseconds(60));
  RelayRig rig(GetParam(), {Limits(deadline)});
  const RelayResult result = rig.Join();
  const absl::Duration late = MonoTime::Now() - deadline;
  EXPECT_THAT(result.status(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_GE(late, absl::ZeroDuration());
  EXPECT_LT(late, absl::Milliseconds(200));
}

// P3: a Close from outside ends the relay, and says so.
TEST_P(RelayTest, CloseOfAnEndFromOutsideEndsIt) {
  RelayRig rig(GetParam());
  ASSERT_THAT(rig.client.Write("x"), IsOk());
  ASSERT_THAT(rig.server.Read(), IsData("x"));
  rig.a().Close().IgnoreError();
  EXPECT_THAT(rig.Join().a_to_b.status(), IsKind(ErrorKind::kClosedLocally));
}

size_t CountEntries(const char* folder) {
  DIR* const dir = opendir(folder);
  if (dir == nullptr) return 0;
  size_t count = 0;
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

// P5, case 95 (10,000 times: the soak).
TEST(RelayLeakTest, FdsAndThreadsAreFlatAfterClientsThatAreGone) {
  size_t fds = 0;
  for (int i = 0; i < 60; ++i) {
    RelayRig rig(flow_testing::TcpKind());
    if (i % 2 == 0) {
      ASSERT_THAT(rig.client.Shutdown(ShutdownMode::kWrite), IsOk());
      ASSERT_THAT(rig.server.Read(), IsEof());
    }
    rig.client.Abort().IgnoreError();
    EXPECT_THAT(rig.Join().status(), IsKind(ErrorKind::kReset));
    rig.server.Close().IgnoreError();
    if (i == 10) fds = CountEntries("/proc/self/fd");
  }
  EXPECT_EQ(CountEntries("/proc/self/fd"), fds);
  // ".", ".." and this thread (sanitizers may have one of their own).
  EXPECT_LE(CountEntries("/proc/self/task"), 4u);
}

TEST(RelayLimitsTest, SenselessIdleLimitIsRefusedAndTouchesNothing) {
  auto [client, a] = flow_testing::MemoryPair();
  auto [b, server] = flow_testing::MemoryPair();
  RelayOptions options;
  options.limits.stall_timeout = absl::ZeroDuration();
  EXPECT_THAT(Relay(a, b, options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(client.Write("x"), IsOk());
  EXPECT_THAT(a.Read(), IsData("x"));
}

// The idle limit counts both directions as one.
TEST(RelayLimitsTest, IdleLimitIsMovedByEitherDirection) {
  SimSyscalls sim;
  auto [t_client, t_a] = flow_testing::MemoryTransportPair();
  auto [t_b, t_server] = flow_testing::MemoryTransportPair();
  Flow client(std::move(t_client));
  Flow server(std::move(t_server));
  Flow a(std::move(t_a), &sim);
  Flow b(std::move(t_b), &sim);
  RelayOptions options;
  options.limits.stall_timeout = absl::Seconds(60);
  RelayResult result;
  std::thread relay([&, &a = a, &b = b] { result = Relay(a, b, options); });
  for (int i = 0; i < 5; ++i) {
    sim.WaitForSleepers(2);
    sim.Advance(absl::Seconds(40));
    // Only from server to client: the other direction is idle for 200 s.
    ASSERT_THAT(server.Write("x"), IsOk());
    ASSERT_THAT(client.Read(), IsData("x"));
  }
  sim.WaitForSleepers(2);
  sim.AutoAdvance(2);
  relay.join();
  EXPECT_THAT(result.status(), StatusIs(absl::StatusCode::kDeadlineExceeded,
                                        HasSubstr("no byte moved for 1m")));
  EXPECT_EQ(result.b_to_a.bytes, 5u);
  EXPECT_GE(sim.elapsed(), absl::Seconds(260));
}

// P10, mirage's `A_and_B`: neither error hides the other.
TEST(RelayResultTest, StatusHasTheErrorsOfBothDirections) {
  RelayResult result;
  result.a_to_b.bytes = 12;
  result.a_to_b.write_status = ErrnoStatus(ENOSPC, "write", "");
  result.b_to_a.bytes = 34;
  result.b_to_a.read_status = ErrnoStatus(ECONNRESET, "read", "");
  const absl::Status status = result.status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(status, HasBytesDone(12));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("a -> b: writing to the sink failed after 12 B"),
                    HasSubstr("b -> a: reading from the source failed after "
                              "34 B: read() failed: Connection reset")));
  result.a_to_b.cut = true;
  EXPECT_THAT(result.status(), IsKind(ErrorKind::kReset));
}

}  // namespace
}  // namespace flow
