#include "flow/relay/relay.h"

#include <dirent.h>
#include <sys/socket.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/relay/relay_rig_test.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
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
using ::flow_testing::PairKind;
using ::flow_testing::Pattern;
using ::flow_testing::ReadToEof;
using ::flow_testing::RelayRig;
using ::flow_testing::StatusIs;
using ::flow_testing::WriteAndEnd;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr size_t kMebibyte = 1 << 20;

// Of case 92, which is about a machine that does nothing else.
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr absl::Duration kSeenWithin = absl::Seconds(6);
#else
constexpr absl::Duration kSeenWithin = absl::Seconds(3);
#endif

class RelayTest : public testing::TestWithParam<flow_testing::PairKind> {};

INSTANTIATE_TEST_SUITE_P(Over, RelayTest,
                         testing::ValuesIn(flow_testing::AllRelays()),
                         [](const auto& kind) { return kind.param.name; });

// Of the others, none can tell a reset from an orderly end without reading.
class TcpRelayTest : public RelayTest {};
INSTANTIATE_TEST_SUITE_P(Over, TcpRelayTest,
                         testing::ValuesIn(flow_testing::TcpRelays()),
                         [](const auto& kind) { return kind.param.name; });

// The other form owns the flows.
class BlockingRelayTest : public RelayTest {};
INSTANTIATE_TEST_SUITE_P(Over, BlockingRelayTest,
                         testing::ValuesIn(flow_testing::BlockingRelays()),
                         [](const auto& kind) { return kind.param.name; });

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
    // More than all the buffers on the way take, whatever that is.
    const std::string bytes = Pattern(4 * kMebibyte, 2);
    absl::Status written;
    while (written.ok()) written = rig.server.Write(bytes, stop.token());
    EXPECT_THAT(written, StatusIs(absl::StatusCode::kCancelled));
  });
  std::thread uploader(
      [&] { EXPECT_THAT(WriteAndEnd(rig.client, upload), IsOk()); });
  EXPECT_TRUE(ReadToEof(rig.server) == upload);
  uploader.join();
  stop.Cancel();
  clog.join();
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
  EXPECT_LT(absl::Now() - begin, kSeenWithin);
}

// P1, P3: an urgent byte is not part of the stream, and what follows it is.
TEST_P(TcpRelayTest, BytesAfterAnUrgentOneArrive) {
  RelayOptions options;
  options.limits = Limits(absl::Seconds(20));  // a failure, not a hang
  RelayRig rig(GetParam(), options);
  // In bulk first, which "auto" splices.
  const std::string bulk = Pattern(4 * kMebibyte);
  std::thread sender([&] {
    EXPECT_THAT(rig.client.Write(bulk), IsOk());
    // One: the next would make an unread one a byte of the stream.
    EXPECT_EQ(send(rig.client.native_handle(), "!", 1, MSG_OOB), 1);
    EXPECT_THAT(WriteAndEnd(rig.client, bulk), IsOk());
  });
  const std::string got = ReadToEof(rig.server);
  sender.join();
  EXPECT_EQ(got.size(), 2 * bulk.size());
  EXPECT_TRUE(got == bulk + bulk);
  EXPECT_THAT(rig.server.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(rig.Join().status(), IsOk());
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
TEST_P(BlockingRelayTest, CloseOfAnEndFromOutsideEndsIt) {
  RelayRig rig(GetParam());
  ASSERT_THAT(rig.client.Write("x"), IsOk());
  ASSERT_THAT(rig.server.Read(), IsData("x"));
  rig.a().Close().IgnoreError();
  EXPECT_THAT(rig.Join().a_to_b.status(), IsKind(ErrorKind::kClosedLocally));
}

// P10: four relays in a row, by each method, 100 times. (With TLS among them:
// tools/flowcat/chain_test.sh.)
TEST(RelayChainTest, HundredHalfCloseExchangesThroughFourRelays) {
  for (int i = 0; i < 100; ++i) {
    auto [client, end0] = flow_testing::TcpKind().make();
    auto [start1, end1] = flow_testing::UnixKind().make();
    auto [start2, end2] = flow_testing::MemoryKind().make();
    auto [start3, end3] = flow_testing::StdioKind().make();
    auto [start4, server] = flow_testing::TcpKind().make();
    std::vector<std::thread> relays;
    const auto relay = [&relays](Flow& a, Flow& b, CopyMethod method) {
      relays.emplace_back([&a, &b, method] {
        RelayOptions options;
        options.method = method;
        EXPECT_THAT(Relay(a, b, options).status(), IsOk());
        a = Flow();
        b = Flow();
      });
    };
    Flow* const flows[] = {&end0, &start1, &end1, &start2,
                           &end2, &start3, &end3, &start4};
    relay(*flows[0], *flows[1], CopyMethod::kSplice);
    relay(*flows[2], *flows[3], CopyMethod::kAuto);
    relay(*flows[4], *flows[5], CopyMethod::kBuffered);
    relay(*flows[6], *flows[7],
          i % 2 == 0 ? CopyMethod::kSplice : CopyMethod::kAuto);
    const std::string request = Pattern(1000, static_cast<uint64_t>(i));
    const std::string reply = Pattern(100'000, static_cast<uint64_t>(i) + 7);
    ASSERT_THAT(WriteAndEnd(client, request), IsOk());
    ASSERT_EQ(ReadToEof(server), request);
    std::thread late(
        [&, &s = server] { EXPECT_THAT(WriteAndEnd(s, reply), IsOk()); });
    ASSERT_TRUE(ReadToEof(client) == reply) << "round " << i;
    late.join();
    for (std::thread& thread : relays) thread.join();
  }
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
  // A thread that sleeps for long has a descriptor of its own from then on.
  auto [silent, other] = flow_testing::UnixKind().make();
  EXPECT_THAT(silent.Read(absl::Milliseconds(40)),
              IsKind(ErrorKind::kDeadline));
  size_t fds = 0;
  for (int i = 0; i < 60; ++i) {
    const flow_testing::PairKind tcp = flow_testing::TcpKind();
    RelayRig rig(i % 3 == 0 ? tcp.By(CopyMethod::kSplice) : tcp);
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

}  // namespace
}  // namespace flow
