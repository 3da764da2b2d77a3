#include <cerrno>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/observer.h"
#include "flow/relay/relay.h"
#include "flow/relay/relay_rig_test.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::HasBytesDone;
using ::flow_testing::IsData;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::Pattern;
using ::flow_testing::ReadToEof;
using ::flow_testing::StatusIs;
using ::flow_testing::WriteAndEnd;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Gives chunks, then `error`, or Eof if that is 0.
class Source : public Transport {
 public:
  Source(std::deque<std::string> chunks, int error)
      : chunks_(std::move(chunks)), error_(error) {}
  Attempt TryRead(absl::Span<const iovec> into) override {
    while (!chunks_.empty() && chunks_.front().empty()) chunks_.pop_front();
    if (chunks_.empty()) {
      return error_ == 0 ? Attempt::Eof() : Attempt::Failed(error_);
    }
    const size_t size = chunks_.front().copy(
        static_cast<char*>(into[0].iov_base), into[0].iov_len);
    chunks_.front().erase(0, size);
    return Attempt::Transferred(size);
  }
  Attempt TryWrite(absl::Span<const iovec>) override {
    return Attempt::Failed(EPIPE);
  }
  Attempt TryShutdown(ShutdownMode) override { return Attempt::Transferred(0); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  std::deque<std::string> chunks_;
  const int error_;
};

// Takes `room` bytes, at most 3 at a time, then fails with `error`.
class Sink : public Transport {
 public:
  Sink(size_t room, int error, std::string* taken)
      : room_(room), error_(error), taken_(taken) {}
  Attempt TryRead(absl::Span<const iovec>) override { return Attempt::Eof(); }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    const size_t size =
        std::min({from[0].iov_len, size_t{3}, room_ - taken_->size()});
    if (size == 0) return Attempt::Failed(error_);
    taken_->append(static_cast<const char*>(from[0].iov_base), size);
    return Attempt::Transferred(size);
  }
  Attempt TryShutdown(ShutdownMode) override { return Attempt::Transferred(0); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const size_t room_;
  const int error_;
  std::string* const taken_;
};

Flow SourceOf(std::deque<std::string> chunks, int error = 0) {
  return Flow(std::make_unique<Source>(std::move(chunks), error));
}

// P2, case 60 (mirage `input_strings`).
TEST(CopyTest, ChunksArriveAsOneStream) {
  Flow src = SourceOf({"", "123", "45", "6789", "0"});
  std::string taken;
  Flow dst(std::make_unique<Sink>(100, ENOSPC, &taken));
  const CopyResult result = Copy(src, dst);
  EXPECT_THAT(result.status(), IsOk());
  EXPECT_EQ(taken, "1234567890");
  EXPECT_EQ(result.bytes, 10u);
  EXPECT_EQ(result.bytes_read, 10u);
  EXPECT_EQ(result.reads, 4u);
  EXPECT_EQ(result.failed_side(), CopySide::kNone);
}

// P2, case 94.
TEST(CopyTest, SinkThatFailsIsNamedWithTheExactCount) {
  for (size_t room : {0, 1, 3, 4, 9, 10}) {
    for (const bool idle_limit : {false, true}) {
      Flow src = SourceOf({"hell", "o! ", "world"});
      std::string taken;
      Flow dst(std::make_unique<Sink>(room, ENOSPC, &taken));
      CopyOptions options;
      if (idle_limit) options.limits.stall_timeout = absl::Seconds(10);
      const CopyResult result = Copy(src, dst, options);
      EXPECT_EQ(taken, std::string("hello! world").substr(0, room));
      EXPECT_EQ(result.bytes, room);
      EXPECT_EQ(result.failed_side(), CopySide::kSink);
      EXPECT_THAT(result.read_status, IsOk());
      EXPECT_THAT(result.status(),
                  AllOf(StatusIs(absl::StatusCode::kResourceExhausted,
                                 HasSubstr("writing to the sink failed after")),
                        IsKind(ErrorKind::kSystem), HasBytesDone(room)));
    }
  }
}

// P2: a sink that had failed before took nothing of this copy.
TEST(CopyTest, EarlierFailureOfTheSinkIsNotCounted) {
  std::string taken;
  Flow dst(std::make_unique<Sink>(5, ENOSPC, &taken));
  EXPECT_THAT(dst.Write("123456789"), HasBytesDone(5));
  Flow src = SourceOf({"more"});
  const CopyResult result = Copy(src, dst);
  EXPECT_EQ(result.bytes, 0u);
  EXPECT_THAT(result.status(), HasBytesDone(0));
}

// P1, case 94.
TEST(CopyTest, SourceThatFailsIsNamedAndItsBytesAreDelivered) {
  Flow src = SourceOf({"12345", "678"}, ECONNRESET);
  auto [dst, peer] = flow_testing::MemoryPair();
  CopyOptions options;
  options.end_sink = true;
  const CopyResult result = Copy(src, dst, options);
  EXPECT_EQ(result.failed_side(), CopySide::kSource);
  EXPECT_THAT(result.status(),
              AllOf(IsKind(ErrorKind::kReset), HasBytesDone(8)));
  EXPECT_THAT(result.ToString(), HasSubstr("reading from the source"));
  // The peer has the bytes, and no clean end after them.
  EXPECT_THAT(peer.Read(), IsData("12345678"));
  EXPECT_THAT(peer.Read(), IsKind(ErrorKind::kReset));
}

TEST(CopyTest, SinkStaysOpenUnlessItIsToEnd) {
  Flow first = SourceOf({"one "});
  Flow second = SourceOf({"two"});
  auto [dst, peer] = flow_testing::MemoryPair();
  EXPECT_THAT(Copy(first, dst).status(), IsOk());
  CopyOptions options;
  options.end_sink = true;
  EXPECT_THAT(Copy(second, dst, options).status(), IsOk());
  EXPECT_EQ(ReadToEof(peer), "one two");
}

// A flow whose last Write was cut by its limit, and its peer.
std::pair<Flow, Flow> SealedPair() {
  auto [sink, peer] = flow_testing::MemoryPair(4);
  EXPECT_THAT(sink.Write("123456", absl::Milliseconds(200)),
              IsKind(ErrorKind::kDeadline));
  return {std::move(sink), std::move(peer)};
}

// P2, P10: what was cut before the copy must not get a clean end by it.
TEST(CopyTest, SinkThatWasSealedBeforeIsNotEndedInOrder) {
  auto [dst, peer] = SealedPair();
  Flow src = SourceOf({});
  CopyOptions options;
  options.end_sink = true;
  const CopyResult result = Copy(src, dst, options);
  EXPECT_EQ(result.failed_side(), CopySide::kSink);
  EXPECT_THAT(result.status(), IsKind(ErrorKind::kSealed));
  EXPECT_THAT(peer.Read(), IsData("1234"));
  EXPECT_THAT(peer.Read(), IsKind(ErrorKind::kReset));
}

TEST(CopyTest, RelayIntoASealedSinkIsAborted) {
  auto [client, a] = flow_testing::MemoryPair();
  auto [b, server] = SealedPair();
  ASSERT_THAT(client.Shutdown(ShutdownMode::kWrite), IsOk());
  const RelayResult result = Relay(a, b);
  EXPECT_EQ(result.a_to_b.failed_side(), CopySide::kSink);
  EXPECT_THAT(result.status(), IsKind(ErrorKind::kSealed));
  EXPECT_THAT(server.Read(), IsData("1234"));
  EXPECT_THAT(server.Read(), IsKind(ErrorKind::kReset));
}

// P2: its peer would miss what the copy has taken, were it written to again.
TEST(CopyTest, LimitThatCutsItBeforeAByteOfAChunkIsAcceptedSealsTheSink) {
  auto [dst, peer] = flow_testing::MemoryPair(4);
  ASSERT_THAT(dst.Write("1234"), IsOk());
  Flow src = SourceOf({"abc"});
  CopyOptions options;
  options.limits = Limits(absl::Milliseconds(300));
  const CopyResult result = Copy(src, dst, options);
  EXPECT_EQ(result.failed_side(), CopySide::kSink);
  EXPECT_THAT(result.status(),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(0)));
  EXPECT_EQ(result.bytes, 0u);
  EXPECT_EQ(result.bytes_read, 3u);
  EXPECT_THAT(peer.Read(), IsData("1234"));
  EXPECT_THAT(dst.Write("x"), IsKind(ErrorKind::kSealed));
}

// P2.
TEST(CopyTest, PipeToPipeIsExact) {
  auto [in_read, in_write] = *Pipe();
  auto [out_read, out_write] = *Pipe();
  const std::string sent = Pattern(4 << 20);
  std::thread feeder(
      [&, &f = in_write] { EXPECT_THAT(WriteAndEnd(f, sent), IsOk()); });
  std::string got;
  std::thread eater([&, &f = out_read] { got = ReadToEof(f); });
  CopyOptions options;
  options.end_sink = true;
  const CopyResult result = Copy(in_read, out_write, options);
  feeder.join();
  eater.join();
  EXPECT_THAT(result.status(), IsOk());
  EXPECT_EQ(result.bytes, sent.size());
  EXPECT_TRUE(got == sent);
}

// P6: a reader that left is an error of the sink, not a signal.
TEST(CopyTest, PipeWithoutReaderIsTheSinksFailure) {
  auto [read, write] = *Pipe();
  read.Close().IgnoreError();
  Flow src = SourceOf({"x"});
  const CopyResult result = Copy(src, write);
  EXPECT_EQ(result.failed_side(), CopySide::kSink);
  EXPECT_THAT(result.status(), IsKind(ErrorKind::kClosedByPeer));
  EXPECT_EQ(result.bytes, 0u);
}

TEST(CopyTest, DeadlineIsATotalAndNamesTheSideThatWaited) {
  auto [src, src_peer] = flow_testing::MemoryPair();
  auto [dst, dst_peer] = flow_testing::MemoryPair();
  CopyOptions options;
  options.limits = Limits(absl::Milliseconds(30));
  const CopyResult result = Copy(src, dst, options);
  EXPECT_THAT(result.read_status,
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  // Not result.duration, which begins after the limits: how long after is up to
  // the machine.
  EXPECT_GE(MonoTime::Now(), options.limits.deadline);
}

// flow/observer.h: "a read; a write": those of a copy too, with their bytes.
TEST(CopyTest, ObserversAreToldOfWhatItMoves) {
  struct Sum final : FlowObserver {
    void OnEnd(const Operation& operation,
               const Outcome& outcome) noexcept override {
      bytes[operation.kind] += outcome.bytes;
    }
    std::map<OperationKind, uint64_t> bytes;
  };
  auto [writer, source] = flow_testing::MemoryPair();
  auto [sink, reader] = flow_testing::MemoryPair();
  ASSERT_THAT(writer.Write(Pattern(1000)), IsOk());
  ASSERT_THAT(writer.Shutdown(ShutdownMode::kWrite), IsOk());
  auto from = std::make_shared<Sum>();
  auto to = std::make_shared<Sum>();
  source.Observe(from);
  sink.Observe(to);
  EXPECT_EQ(Copy(source, sink).bytes, 1000u);
  EXPECT_EQ(from->bytes[OperationKind::kRead], 1000u);
  EXPECT_EQ(to->bytes[OperationKind::kWrite], 1000u);
}

}  // namespace
}  // namespace flow
