// The Writer: what goes out when, what a limit leaves, how it ends.

#include "flow/buffered/writer.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/buffered/buffered_test_support.h"
#include "flow/buffered/encoding.h"
#include "flow/buffered/reader.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::HasBytesDone;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::MemoryPair;
using ::flow_testing::Pattern;
using ::flow_testing::SimSyscalls;
using ::flow_testing::SinkLog;
using ::flow_testing::SinkOf;
using ::flow_testing::StatusIs;
using ::testing::AllOf;

WriterOptions BufferOf(size_t size) {
  WriterOptions options;
  options.buffer_size = size;
  return options;
}

// Everything until the peer's end.
std::string DrainOf(Flow& flow) {
  std::string all;
  for (;;) {
    const absl::StatusOr<OrEof<Buffer>> got = flow.Read();
    if (!got.ok()) return absl::StrCat(all, " then ", got.status().ToString());
    if (got->is_eof()) return all;
    all += got->data().ToString();
  }
}

// P2, case 54 (mirage `output_string`): room for 10 bytes. It ends the flow by
// Abort, since the peer has half of a word.
TEST(WriterTest, SinkThatFillsUpTellsTheExactCount) {
  SinkLog log;
  Writer out(SinkOf(&log, 10, EPIPE));
  for (const char* word : {"hell", "o! ", "world"}) {
    EXPECT_THAT(out.Write(word), IsOk());
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(out.Flush(),
                AllOf(StatusIs(absl::StatusCode::kFailedPrecondition),
                      IsKind(ErrorKind::kClosedByPeer), HasBytesDone(10)));
    EXPECT_THAT(out.Write("more"), IsKind(ErrorKind::kClosedByPeer));
  }
  EXPECT_EQ(log.taken, "hello! wor");
  EXPECT_EQ(out.stats().sent, 10u);
  EXPECT_EQ(out.pending(), 2u);
  EXPECT_THAT(out.Close(), IsKind(ErrorKind::kClosedByPeer));
  EXPECT_TRUE(log.aborted);
}

TEST(WriterTest, SmallWritesAreOneStep) {
  SinkLog log;
  Writer out(SinkOf(&log));
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string record = absl::StrCat("record ", i, "\n");
    ASSERT_THAT(out.Write(record), IsOk());
    expected += record;
  }
  EXPECT_EQ(log.tries, 0);
  EXPECT_EQ(out.pending(), expected.size());
  EXPECT_THAT(out.Flush(), IsOk());
  EXPECT_EQ(log.taken, expected);
  EXPECT_EQ(log.tries, 1);
  EXPECT_THAT(out.Flush(), IsOk());
  EXPECT_EQ(log.tries, 1);
  EXPECT_EQ(out.stats().flushes, 2u);
  EXPECT_EQ(out.stats().steps, 1u);
}

// "What doesn't fit goes together with what is buffered, from where it is."
TEST(WriterTest, LongWritesGoWithTheBufferInOneStepUncopied) {
  const std::string large = Pattern(100000);
  SinkLog log;
  Writer out(SinkOf(&log));
  ASSERT_THAT(out.Write("head"), IsOk());
  ASSERT_THAT(out.Write(large), IsOk());
  EXPECT_EQ(log.tries, 1);
  EXPECT_EQ(log.taken, "head" + large);
  absl::Cord cord("begin ");
  for (int i = 0; i < 5; ++i) {
    cord.Append(absl::MakeCordFromExternal(large, [] {}));
  }
  ASSERT_THAT(out.Write("head"), IsOk());
  ASSERT_THAT(out.Write(cord), IsOk());
  EXPECT_EQ(log.tries, 2);
  EXPECT_EQ(log.taken.substr(100004), "head" + std::string(cord));
  EXPECT_EQ(out.pending(), 0u);
  EXPECT_EQ(out.stats().copied, 8u);
  EXPECT_EQ(out.stats().bytes, 600014u);
}

// Any sizes, any buffer, a transport that takes bits: the same stream.
TEST(WriterTest, AnyMixOfWritesArrivesInOrder) {
  for (const size_t buffer : {1, 2, 7, 64, 1000, 65536}) {
    SinkLog log;
    Writer out(SinkOf(&log, SIZE_MAX, 0, 11), BufferOf(buffer));
    std::string expected;
    for (size_t i = 0; i < 300; ++i) {
      const std::string piece = Pattern(i * 37 % 201);
      expected += piece;
      switch (i % 3) {
        case 0:
          ASSERT_THAT(out.Write(piece), IsOk());
          break;
        case 1:
          ASSERT_THAT(out.Write(absl::Cord(piece)), IsOk());
          break;
        default:
          ASSERT_THAT(out.Writev({piece.substr(0, i / 3), "",
                                  absl::string_view(piece).substr(
                                      std::min(piece.size(), i / 3))}),
                      IsOk());
          break;
      }
    }
    ASSERT_THAT(out.Close(), IsOk());
    ASSERT_EQ(log.taken, expected) << buffer;
    EXPECT_FALSE(log.aborted);
    EXPECT_TRUE(log.closed);
  }
}

TEST(WriterTest, ReaderReadsWhatWriterWrites) {
  auto [ours, peer] = MemoryPair(1 << 20);
  Writer out(std::move(ours));
  std::vector<FrameFormat> formats(8);
  for (size_t i = 0; i < formats.size(); ++i) {
    formats[i].prefix = static_cast<LengthPrefix>(i);
    ASSERT_THAT(out.WriteFrame("frame", formats[i]), IsOk());
    ASSERT_THAT(out.WriteFrame(absl::Cord(std::string(200, 'c')), formats[i]),
                IsOk());
  }
  ASSERT_THAT(out.WriteInt(int16_t{-2}, Endian::kBig), IsOk());
  ASSERT_THAT(out.WriteInt(uint64_t{77}, Endian::kLittle), IsOk());
  for (int bit = 0; bit < 64; ++bit) {
    ASSERT_THAT(out.WriteVarint(uint64_t{1} << bit), IsOk());
    ASSERT_THAT(out.WriteVarint((uint64_t{1} << bit) - 1), IsOk());
  }
  ASSERT_THAT(out.Close(), IsOk());
  Reader in(std::move(peer));
  for (const FrameFormat& format : formats) {
    EXPECT_THAT(in.ReadFrame(format), IsData("frame"));
    EXPECT_THAT(in.ReadFrame(format), IsData(std::string(200, 'c')));
  }
  EXPECT_THAT(in.ReadInt<int16_t>(Endian::kBig), IsData(-2));
  EXPECT_THAT(in.ReadInt<uint64_t>(Endian::kLittle), IsData(77u));
  for (int bit = 0; bit < 64; ++bit) {
    EXPECT_THAT(in.ReadVarint(), IsData(uint64_t{1} << bit));
    EXPECT_THAT(in.ReadVarint(), IsData((uint64_t{1} << bit) - 1));
  }
  EXPECT_THAT(in.ReadVarint(), IsEof());
}

TEST(WriterTest, BytesAtANullAddressAreRefused) {
  SinkLog log;
  Writer out(SinkOf(&log));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(out.Write(absl::string_view(nullptr, 5)),
                StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(out.Write(absl::string_view()), IsOk());
    EXPECT_THAT(out.Write(absl::Cord()), IsOk());
    EXPECT_THAT(out.Write("room from now on"), IsOk());
  }
}

TEST(WriterTest, FrameThatItsLengthCantHoldIsRefused) {
  SinkLog log;
  Writer out(SinkOf(&log));
  FrameFormat format;
  format.prefix = LengthPrefix::kU8;
  EXPECT_THAT(out.WriteFrame(std::string(255, 'x'), format), IsOk());
  EXPECT_THAT(out.WriteFrame(std::string(256, 'x'), format),
              StatusIs(absl::StatusCode::kInvalidArgument));
  format.max_length = 10;
  EXPECT_THAT(out.WriteFrame(absl::Cord("12345678901"), format),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(out.pending(), 256u);
  EXPECT_THAT(out.status(), IsOk());
}

// A writer on simulated time whose peer has room for `capacity` bytes.
class LimitedWriterTest : public ::testing::Test {
 protected:
  LimitedWriterTest() { sim_.AutoAdvance(1); }
  Flow Ours(size_t capacity) {
    flow_testing::MemoryPairOptions on_sim;
    on_sim.sys = &sim_;
    auto [ours, peer] = MemoryPair(capacity, on_sim);
    peer_ = std::move(peer);
    return std::move(ours);
  }
  Limits Soon() { return sim_.In(absl::Seconds(1)); }
  // Reads what is there.
  std::string Arrived() {
    std::string all;
    for (;;) {
      const absl::StatusOr<OrEof<Buffer>> got = peer_.Read(Soon());
      if (!got.ok() || got->is_eof()) return all;
      all += got->data().ToString();
    }
  }
  SimSyscalls sim_;
  Flow peer_;
};

// P2: a Flush that is cut goes on with the very next byte, wherever it was.
TEST_F(LimitedWriterTest, FlushCutAtAnyByteGoesOn) {
  const std::string message = "0123456789abcdef";
  for (size_t room = 1; room < message.size(); ++room) {
    Writer out(Ours(room));
    ASSERT_THAT(out.Write(message), IsOk());
    ASSERT_THAT(
        out.Flush(sim_.In(absl::ZeroDuration())),
        AllOf(StatusIs(absl::StatusCode::kDeadlineExceeded), HasBytesDone(0)));
    std::string got;
    absl::Status flushed;
    for (size_t done = 0;; done += room) {
      flushed = out.Flush(Soon());
      if (flushed.ok()) break;
      ASSERT_THAT(flushed,
                  AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(room)));
      ASSERT_EQ(out.pending(), message.size() - done - room);
      got += Arrived();
    }
    ASSERT_THAT(out.Write("!"), IsOk());  // nothing is sealed
    got += Arrived();
    ASSERT_THAT(out.Close(Soon()), IsOk());
    EXPECT_EQ(got + DrainOf(peer_), message + "!");
  }
}

// "OK means that the Writer has all of it, an error that it has nothing of it":
// whoever repeats what failed, and nothing else, loses and doubles nothing.
TEST_F(LimitedWriterTest, WriteIsTakenWholeOrNotAtAll) {
  for (size_t room = 1; room < 40; ++room) {
    for (const bool cord : {false, true}) {
      Writer out(Ours(room), BufferOf(8));
      std::string expected;
      std::string got;
      int refused = 0;
      for (int i = 0; i < 12; ++i) {
        const std::string piece(static_cast<size_t>(i * 5 % 23 + 1),
                                static_cast<char>('a' + i));
        for (;;) {
          const absl::Status s = cord ? out.Write(absl::Cord(piece), Soon())
                                      : out.Write(piece, Soon());
          if (s.ok()) break;
          ASSERT_THAT(s, AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(0)));
          ++refused;
          got += Arrived();
        }
        expected += piece;
        ASSERT_LE(out.pending(), 8u + 23u);
      }
      while (!out.Flush(Soon()).ok()) got += Arrived();
      got += Arrived();
      ASSERT_EQ(got, expected) << room;
      EXPECT_GT(refused, 0);
      EXPECT_EQ(out.stats().sent, expected.size());
    }
  }
}

// A token, likewise; and a bad limit is no failure of the flow.
TEST_F(LimitedWriterTest, TokenAndBadLimitsAreNotSticky) {
  Writer out(Ours(3));
  ASSERT_THAT(out.Write("12345"), IsOk());
  CancelSource source;
  source.Cancel();
  EXPECT_THAT(out.Flush(source.token()),
              StatusIs(absl::StatusCode::kCancelled));
  Limits bad;
  bad.stall_timeout = absl::ZeroDuration();
  EXPECT_THAT(out.Flush(bad), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(out.status(), IsOk());
  EXPECT_THAT(out.Flush(Soon()), HasBytesDone(3));
  EXPECT_EQ(Arrived(), "123");
  EXPECT_THAT(out.Flush(Soon()), IsOk());
}

// "No peer takes a part for the whole": Close that can't flush is an Abort.
TEST_F(LimitedWriterTest, CloseThatCannotFlushAborts) {
  for (const bool graceful : {false, true}) {
    Writer out(Ours(3));
    ASSERT_THAT(out.Write("12345"), IsOk());
    EXPECT_THAT(graceful ? out.CloseGracefully(Soon()) : out.Close(Soon()),
                IsKind(ErrorKind::kDeadline));
    EXPECT_THAT(peer_.Read(), IsData("123"));
    EXPECT_THAT(peer_.Read(), IsKind(ErrorKind::kReset));
  }
}

// A Shutdown can't lose the Writer's bytes, and goes on after a limit.
TEST_F(LimitedWriterTest, ShutdownFlushesFirst) {
  Writer out(Ours(3));
  ASSERT_THAT(out.Write("12345"), IsOk());
  EXPECT_THAT(out.Shutdown(ShutdownMode::kWrite, Soon()),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(Arrived(), "123");  // and no end
  EXPECT_THAT(out.Shutdown(ShutdownMode::kReadWrite, Soon()), IsOk());
  EXPECT_EQ(DrainOf(peer_), "45");
  EXPECT_THAT(out.Write("6"), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(out.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(out.Close(), IsOk());
  EXPECT_THAT(out.Close(), IsOk());
}

// A layer that takes bytes at once and lets them go at `when`.
class HoldingTransport final : public Transport {
 public:
  HoldingTransport(Syscalls* sys, MonoTime when) : sys_(sys), when_(when) {}
  Attempt TryRead(absl::Span<const iovec>) override { return Attempt::Eof(); }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    return Attempt::Transferred(from[0].iov_len);
  }
  Attempt TryFlush() override {
    return sys_->Now() < when_ ? Attempt::WouldBlock(Wait::Until(when_))
                               : Attempt::Transferred(0);
  }
  Attempt TryShutdown(ShutdownMode) override { return Attempt::Transferred(0); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  Syscalls* const sys_;
  const MonoTime when_;
};

// OK of a Flush means sent, not held back by a layer.
TEST_F(LimitedWriterTest, FlushWaitsForWhatALayerHoldsBack) {
  Writer out(Flow(std::make_unique<HoldingTransport>(
                      &sim_, sim_.In(absl::Milliseconds(2500))),
                  &sim_));
  ASSERT_THAT(out.Write("12345"), IsOk());
  EXPECT_THAT(out.Flush(Soon()),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(5)));
  EXPECT_EQ(out.pending(), 0u);
  EXPECT_THAT(out.Flush(Soon()),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(0)));
  EXPECT_THAT(out.Flush(Soon()), IsOk());
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(2500));
}

// A flow that another call has sealed is aborted, with nothing pending here.
TEST_F(LimitedWriterTest, SealedFlowIsAborted) {
  for (const bool close : {false, true}) {
    auto out = std::make_unique<Writer>(Ours(3));
    EXPECT_THAT(out->flow().Write("12345", Soon()),
                IsKind(ErrorKind::kDeadline));
    EXPECT_THAT(out->Shutdown(ShutdownMode::kWrite),
                IsKind(ErrorKind::kSealed));
    if (close) {
      EXPECT_THAT(out->Close(), IsKind(ErrorKind::kSealed));
    }
    out.reset();
    EXPECT_THAT(peer_.Read(), IsData("123"));
    EXPECT_THAT(peer_.Read(), IsKind(ErrorKind::kReset));
  }
}

// "The destructor: it never blocks; what was not flushed is dropped; Abort."
TEST(WriterTest, DestructorDropsAndAborts) {
  SinkLog log;
  { Writer out(SinkOf(&log)); }
  EXPECT_FALSE(log.aborted);
  EXPECT_TRUE(log.closed);
  log = {};
  {
    Writer out(SinkOf(&log));
    ASSERT_THAT(out.Write("lost"), IsOk());
  }
  EXPECT_EQ(log.taken, "");
  EXPECT_TRUE(log.aborted);
  EXPECT_TRUE(log.closed);
  log = {};
  Flow flow = SinkOf(&log);
  {
    Writer out(&flow);
    ASSERT_THAT(out.Write("kept"), IsOk());
    ASSERT_THAT(out.Flush(), IsOk());
  }
  EXPECT_FALSE(log.closed);  // it is the caller's
  {
    Writer out(&flow);
    ASSERT_THAT(out.Write("lost"), IsOk());
  }
  EXPECT_TRUE(log.aborted);
}

TEST(WriterTest, MoveTakesWhatIsPending) {
  SinkLog log;
  SinkLog other;
  Writer out(SinkOf(&log));
  ASSERT_THAT(out.Write("one "), IsOk());
  Writer moved = std::move(out);
  EXPECT_THAT(out.Write("x"),  // NOLINT(bugprone-use-after-move): is the claim
              IsKind(ErrorKind::kClosedLocally));
  ASSERT_THAT(moved.Write("two"), IsOk());
  Writer target(SinkOf(&other));
  ASSERT_THAT(target.Write("lost"), IsOk());
  target = std::move(moved);
  EXPECT_TRUE(other.aborted);
  EXPECT_THAT(target.Close(), IsOk());
  EXPECT_EQ(log.taken, "one two");
  EXPECT_FALSE(log.aborted);
}

TEST(WriterTest, ReleaseFlushesAndGivesTheFlow) {
  auto [ours, peer] = MemoryPair();
  Writer out(std::move(ours));
  ASSERT_THAT(out.Write("before "), IsOk());
  absl::StatusOr<Flow> flow = out.Release();
  ASSERT_THAT(flow, IsOk());
  EXPECT_THAT(out.Write("x"), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(out.Close(), IsOk());
  EXPECT_THAT(flow->Write("after"), IsOk());
  EXPECT_THAT(flow->Close(), IsOk());
  EXPECT_EQ(DrainOf(peer), "before after");
}

// P3: what another thread does to the flow frees a blocked Writer.
TEST(WriterTest, AbortWakesABlockedFlush) {
  auto [ours, peer] = MemoryPair(2);
  Writer out(std::move(ours));
  ASSERT_THAT(out.Write("12345"), IsOk());
  absl::Status status;
  std::thread writer([&] { status = out.Flush(); });
  while (out.flow().GetStats().writing == Activity::kIdle) {
    std::this_thread::yield();
  }
  EXPECT_THAT(out.Abort(), IsOk());
  writer.join();
  EXPECT_THAT(status, AllOf(StatusIs(absl::StatusCode::kCancelled),
                            IsKind(ErrorKind::kClosedLocally)));
  EXPECT_THAT(out.Write("6"), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(out.Close(), IsKind(ErrorKind::kClosedLocally));
}

}  // namespace
}  // namespace flow
