// What a relay sees while its sink takes nothing.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/layers/tee.h"
#include "flow/relay/relay.h"
#include "flow/relay/relay_rig_test.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::HasBytesDone;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::PairKind;
using ::flow_testing::Pattern;
using ::flow_testing::Pause;
using ::flow_testing::PollCounter;
using ::flow_testing::ReadToEof;
using ::flow_testing::RelayRig;
using ::flow_testing::StatusIs;
using ::testing::AllOf;

constexpr size_t kMebibyte = 1 << 20;

// Of case 92, which is about a machine that does nothing else.
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr absl::Duration kSeenWithin = absl::Seconds(6);
#else
constexpr absl::Duration kSeenWithin = absl::Seconds(3);
#endif

class StalledRelayTest : public testing::TestWithParam<PairKind> {};
INSTANTIATE_TEST_SUITE_P(Over, StalledRelayTest,
                         testing::ValuesIn(flow_testing::AllRelays()),
                         [](const auto& kind) { return kind.param.name; });

// Of the others, none can tell a reset from an orderly end without reading.
class StalledTcpRelayTest : public StalledRelayTest {};
INSTANTIATE_TEST_SUITE_P(Over, StalledTcpRelayTest,
                         testing::ValuesIn(flow_testing::TcpRelays()),
                         [](const auto& kind) { return kind.param.name; });

// The other form owns the flows.
class StalledBlockingRelayTest : public StalledRelayTest {};
INSTANTIATE_TEST_SUITE_P(Over, StalledBlockingRelayTest,
                         testing::ValuesIn(flow_testing::BlockingRelays()),
                         [](const auto& kind) { return kind.param.name; });

// Until the relay's sink takes nothing more: the server reads once only.
void FillTheWay(RelayRig& rig) {
  CancelSource full;
  std::thread clog([&] {
    const std::string bytes = Pattern(4 * kMebibyte);
    absl::Status written;
    while (written.ok()) written = rig.client.Write(bytes, full.token());
    EXPECT_THAT(written, StatusIs(absl::StatusCode::kCancelled));
  });
  EXPECT_THAT(rig.server.Read(), IsOk());
  // The buffers are full once nothing has moved for a while.
  for (uint64_t before = 0;;) {
    Pause(absl::Milliseconds(50));
    const uint64_t now = rig.client.GetStats().bytes_written;
    if (now == before) break;
    before = now;
  }
  full.Cancel();
  clog.join();
}

// Nobody reads the client while the server takes nothing; that it was reset is
// seen all the same, by the result and by the server.
void ExpectResetBehindAStalledSinkIsSeen(const PairKind& kind) {
  RelayRig rig(kind);
  ASSERT_NO_FATAL_FAILURE(FillTheWay(rig));
  const absl::Time begin = absl::Now();
  rig.client.Abort().IgnoreError();
  const RelayResult result = rig.Join();
  EXPECT_LT(absl::Now() - begin, kSeenWithin);
  EXPECT_EQ(result.a_to_b.failed_side(), CopySide::kSource);
  EXPECT_THAT(result.status(), AllOf(IsKind(ErrorKind::kReset),
                                     HasBytesDone(result.a_to_b.bytes)));
  for (;;) {
    const auto got = rig.server.Read();
    if (got.ok() && !got->is_eof()) continue;
    EXPECT_THAT(got, IsKind(ErrorKind::kReset));
    break;
  }
}

// P10, case 92.
TEST_P(StalledTcpRelayTest, ResetBehindAStalledSinkEndsBothInTime) {
  ExpectResetBehindAStalledSinkIsSeen(GetParam());
}

// Records what it reads to a file that has no name.
Flow Recorded(Flow below) {
  std::string path = testing::TempDir() + "/relay_record.XXXXXX";
  UniqueFd fd(mkstemp(path.data()));
  unlink(path.c_str());
  TeeOptions options;
  absl::StatusOr<Flow> file = Adopt(std::move(fd));
  EXPECT_THAT(file, IsOk());
  if (file.ok()) options.read_to = *std::move(file);
  absl::StatusOr<Flow> tee = Tee(std::move(below), std::move(options));
  EXPECT_THAT(tee, IsOk());
  return tee.ok() ? *std::move(tee) : Flow();
}

// P10, case 92: the file is not looked at in place of the connection.
TEST(RelayTeeTest, ResetBehindAStalledSinkIsSeenThroughARecorder) {
  PairKind kind = flow_testing::TcpKind();
  const auto plain = kind.make;
  kind.make = [plain] {
    std::pair<Flow, Flow> pair = plain();
    return std::make_pair(Recorded(std::move(pair.first)),
                          Recorded(std::move(pair.second)));
  };
  ExpectResetBehindAStalledSinkIsSeen(kind);
}

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

// P2: an orderly end is no reset, though the kernel has nothing more to do with
// the connection. What was sent before it is not given up.
TEST_P(StalledRelayTest, BytesBeforeAnOrderlyEndOutliveAStalledSink) {
  RelayRig rig(GetParam());
  ASSERT_THAT(rig.server.Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(rig.client.Read(), IsEof());
  const std::string upload = Pattern(12 * kMebibyte);
  std::thread uploader([&] {
    EXPECT_THAT(rig.client.Write(upload), IsOk());
    EXPECT_THAT(rig.client.Close(), IsOk());
  });
  // The stall: more than two looks at the source.
  Pause(absl::Milliseconds(1100));
  EXPECT_TRUE(ReadToEof(rig.server) == upload);
  uploader.join();
  EXPECT_THAT(rig.Join().status(), IsOk());
}

// A relay whose sink takes little; `source` is the descriptor of its source.
PairKind SmallSinkKind(const PairKind& kind, int& source) {
  PairKind small = kind;
  small.make = [make = kind.make, &source, first = true]() mutable {
    std::pair<Flow, Flow> pair = make();
    if (first) {
      source = pair.second.native_handle();
    } else {
      const int bytes = 1;  // the kernel's least
      for (const Flow* f : {&pair.first, &pair.second}) {
        for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
          EXPECT_EQ(setsockopt(f->native_handle(), SOL_SOCKET, option, &bytes,
                               sizeof(bytes)),
                    0);
        }
      }
    }
    first = false;
    return pair;
  };
  return small;
}

// Writes until the relay takes nothing more, a little of it still being in its
// source; returns what was written.
std::string WriteUntilTheRelayStalls(Flow& client, int source) {
  const std::string bytes = Pattern(64 * kMebibyte);
  constexpr size_t kPiece = 4096;
  size_t written = 0;
  for (int still = 0; still < 8;) {
    int unread = 0;
    EXPECT_EQ(ioctl(source, FIONREAD, &unread), 0);
    if (unread > 0) {
      ++still;
      Pause(absl::Milliseconds(50));
      continue;
    }
    still = 0;
    EXPECT_THAT(client.Write(bytes.substr(written, kPiece)), IsOk());
    written += kPiece;
  }
  return bytes.substr(0, written);
}

// The peer of the source has ended in order and then refuses the reply. That is
// no reset of what it sent before.
enum class ReplyEnds : uint8_t {
  kNever,
  kAfterwards,  // when the reply has been refused already
  kTogetherWithIt,
};
void ExpectUploadOutlivesTheRefusalOfTheReply(const PairKind& kind,
                                              ReplyEnds ends) {
  int source = -1;
  RelayRig rig(SmallSinkKind(kind, source));
  if (ends == ReplyEnds::kTogetherWithIt) {
    // So that the reply leaves with the relay's own end: refused after that,
    // the kernel says ECONNRESET, as after a real reset.
    const int on = 1;
    ASSERT_EQ(setsockopt(source, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)), 0);
  }
  const std::string upload = WriteUntilTheRelayStalls(rig.client, source);
  EXPECT_THAT(rig.client.Close(), IsOk());
  pollfd ended = {source, POLLRDHUP, 0};
  ASSERT_EQ(poll(&ended, 1, 20000), 1);
  EXPECT_THAT(rig.server.Write("reply"), IsOk());
  if (ends != ReplyEnds::kNever) {
    EXPECT_THAT(rig.server.Shutdown(ShutdownMode::kWrite), IsOk());
  }
  Pause(absl::Milliseconds(1200));  // more than two looks at the source
  EXPECT_TRUE(ReadToEof(rig.server) == upload);
  EXPECT_THAT(rig.server.Close(), IsOk());
  const RelayResult result = rig.Join();
  EXPECT_THAT(result.a_to_b.status(), IsOk()) << result.ToString();
  EXPECT_EQ(result.a_to_b.bytes, upload.size());
}

// P2, P10.
TEST_P(StalledTcpRelayTest, UploadOutlivesItsSendersRefusalOfAReply) {
  ExpectUploadOutlivesTheRefusalOfTheReply(GetParam(), ReplyEnds::kNever);
}
TEST_P(StalledTcpRelayTest, UploadOutlivesItsSendersRefusalOfAReplyAndItsEnd) {
  ExpectUploadOutlivesTheRefusalOfTheReply(GetParam(), ReplyEnds::kAfterwards);
}
TEST_P(StalledTcpRelayTest, UploadOutlivesARefusalThatLooksLikeAReset) {
  ExpectUploadOutlivesTheRefusalOfTheReply(GetParam(),
                                           ReplyEnds::kTogetherWithIt);
}

// P3: also while nobody reads that end, since the sink takes nothing.
TEST_P(StalledBlockingRelayTest, CloseOfASourceBehindAStalledSinkEndsIt) {
  for (const bool abort : {false, true}) {
    RelayRig rig(GetParam());
    ASSERT_NO_FATAL_FAILURE(FillTheWay(rig));
    const absl::Time begin = absl::Now();
    (abort ? rig.a().Abort() : rig.a().Close()).IgnoreError();
    const RelayResult result = rig.Join();
    // 100 ms, and what a busy machine adds.
    EXPECT_LT(absl::Now() - begin, absl::Milliseconds(400));
    EXPECT_EQ(result.a_to_b.failed_side(), CopySide::kSource);
    EXPECT_THAT(result.a_to_b.status(), IsKind(ErrorKind::kClosedLocally));
  }
}

}  // namespace
}  // namespace flow
