// The Reader, call by call: what each takes, what it leaves, what it says.

#include "flow/buffered/reader.h"

#include <cerrno>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/buffered/buffered_test_support.h"
#include "flow/buffered/encoding.h"
#include "flow/buffered/line.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/stats.h"
#include "flow/status.h"
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
using ::flow_testing::SourceOf;
using ::flow_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

Line Whole(const std::string& text) { return {text, true}; }
Line Rest(const std::string& text) { return {text, false}; }

// Case 60 (mirage `input_strings`).
TEST(ReaderTest, ChunksArriveAsOneStream) {
  Reader in(SourceOf({"", "123", "45", "6789", "0"}));
  const absl::StatusOr<Buffer> all = in.ReadAll(100);
  ASSERT_THAT(all, IsOk());
  EXPECT_EQ(all->view(), "1234567890");
  EXPECT_THAT(in.Read(), IsEof());
  EXPECT_THAT(in.ReadAll(0), IsOk());
}

TEST(ReaderTest, LinesEndWithLfOrCrlf) {
  Reader in(SourceOf({"one\ntwo\r\n\n\r\na\rb\n\r\r\n"}));
  for (const char* text : {"one", "two", "", "", "a\rb", "\r"}) {
    EXPECT_THAT(in.ReadLine(), IsData(Whole(text)));
  }
  EXPECT_THAT(in.ReadLine(), IsEof());
  EXPECT_THAT(in.ReadLine(), IsEof());
}

TEST(ReaderTest, LastLineWithoutItsEndIsSaidToBeSo) {
  Reader in(SourceOf({"QUIT\nRCPT TO:<joe\r"}));
  EXPECT_THAT(in.ReadLine(), IsData(Whole("QUIT")));
  EXPECT_THAT(in.ReadLine(), IsData(Rest("RCPT TO:<joe\r")));
  EXPECT_THAT(in.ReadLine(), IsEof());
}

// "RESOURCE_EXHAUSTED: a call that allows more, or Skip, goes on"
TEST(ReaderTest, LineThatIsTooLongIsLeftWhereItIs) {
  Reader in(SourceOf({"123456\nabcd\nx"}));
  EXPECT_THAT(in.ReadLine(5), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(in.ReadLine(5), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(in.ReadLine(6), IsData(Whole("123456")));
  EXPECT_THAT(in.ReadLine(3), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(in.SkipLine(), IsData(5u));
  EXPECT_THAT(in.ReadLine(0), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(in.SkipLine(), IsData(1u));
  EXPECT_THAT(in.SkipLine(), IsEof());
}

// The text counts, not its end; and nobody waits for a byte to say so.
TEST(ReaderTest, LimitOfALineIsExactAndToldAtOnce) {
  Reader exact(SourceOf({"12345", "\r", "\n"}));
  EXPECT_THAT(exact.ReadLine(5), IsData(Whole("12345")));
  auto [ours, peer] = MemoryPair();
  Reader in(std::move(ours));
  ASSERT_THAT(peer.Write("123456"), IsOk());
  EXPECT_THAT(in.ReadLine(5), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(in.Buffered(), "123456");
}

// No memory for a line without end.
TEST(ReaderTest, EndlessLineIsBounded) {
  std::vector<std::string> chunks(1000, std::string(5000, 'x'));
  Reader in(SourceOf(std::move(chunks)));
  EXPECT_THAT(in.ReadLine(),
              AllOf(StatusIs(absl::StatusCode::kResourceExhausted,
                             HasSubstr("longer than 65536 bytes")),
                    IsKind(ErrorKind::kOther)));
  EXPECT_LE(in.Buffered().size(), 2u * (kMaxLine + 2));
  EXPECT_THAT(in.SkipLine(), IsData(5000000u));
}

TEST(ReaderTest, ReadUntilTakesAnyMark) {
  Reader in(SourceOf({"head\r\n\r", "\nbo", "dy--en", "d--tail"}));
  EXPECT_THAT(in.ReadUntil("\r\n\r\n", 4), IsData(Whole("head")));
  EXPECT_THAT(in.ReadUntil("--end--", 4), IsData(Whole("body")));
  EXPECT_THAT(in.ReadUntil("", 4),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(in.ReadUntil("--", 4), IsData(Rest("tail")));
  EXPECT_THAT(in.ReadUntil("--", 4), IsEof());
}

// Short data is kept, counted and can be had.
TEST(ReaderTest, ShortDataAtTheEndIsKeptAndReported) {
  char space[8];
  Reader in(SourceOf({"abc", "de"}));
  EXPECT_THAT(in.ReadExactly(absl::MakeSpan(space)),
              AllOf(StatusIs(absl::StatusCode::kDataLoss,
                             HasSubstr("after 5 of 8 bytes")),
                    IsKind(ErrorKind::kTruncated), HasBytesDone(5)));
  EXPECT_THAT(in.ReadExactly(6), IsKind(ErrorKind::kTruncated));
  EXPECT_EQ(in.Buffered(), "abcde");
  EXPECT_THAT(in.ReadExactly(2), IsData("ab"));
  EXPECT_THAT(in.Read(), IsData("cde"));
  EXPECT_THAT(in.ReadExactly(6), IsEof());
  EXPECT_THAT(in.ReadExactly(absl::MakeSpan(space)), IsEof());
}

// "ReadExactly of more than the read-ahead reads straight into the memory":
// also that loses nothing.
TEST(ReaderTest, LargeShortReadIsKeptToo) {
  const std::string bytes = Pattern(100000);
  Reader in(SourceOf({bytes.substr(0, 10), bytes.substr(10)}));
  EXPECT_THAT(in.Peek(1), IsData(bytes.substr(0, 1)));
  std::string space(100001, '\0');
  EXPECT_THAT(in.ReadExactly(absl::MakeSpan(space)),
              AllOf(IsKind(ErrorKind::kTruncated), HasBytesDone(100000)));
  EXPECT_THAT(in.ReadExactly(absl::MakeSpan(space).first(100000)),
              IsData(100000u));
  EXPECT_EQ(space.substr(0, 100000), bytes);
}

TEST(ReaderTest, NothingAskedForIsThereAtOnce) {
  auto [ours, peer] = MemoryPair();
  Reader in(std::move(ours));
  EXPECT_THAT(in.ReadExactly(0), IsData(""));
  EXPECT_THAT(in.ReadExactly(absl::Span<char>()), IsData(0u));
  EXPECT_THAT(in.ReadInto({}), IsData(0u));
  EXPECT_THAT(in.Peek(0), IsData(""));
  EXPECT_THAT(in.Skip(0), IsData(0u));
  EXPECT_THAT(in.ReadInto(absl::Span<char>(nullptr, 5)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(in.ReadExactly(absl::Span<char>(nullptr, 5)),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ReaderTest, PeekShowsWithoutTaking) {
  Reader in(SourceOf({"ab", "cd"}));
  EXPECT_THAT(in.Peek(3), IsData("abc"));
  EXPECT_THAT(in.Peek(9), IsData("abcd"));
  EXPECT_THAT(in.Skip(3), IsData(3u));
  EXPECT_THAT(in.Peek(1), IsData("d"));
  EXPECT_THAT(in.Skip(2),
              AllOf(IsKind(ErrorKind::kTruncated), HasBytesDone(1)));
  EXPECT_THAT(in.Peek(1), IsEof());
  EXPECT_THAT(in.Skip(1), IsEof());
}

TEST(ReaderTest, ReadAllSaysWhatIsTooMuchAndKeepsIt) {
  Reader in(SourceOf({"123", "45"}));
  EXPECT_THAT(in.ReadAll(4), StatusIs(absl::StatusCode::kResourceExhausted));
  const absl::StatusOr<Buffer> all = in.ReadAll(5);
  ASSERT_THAT(all, IsOk());
  EXPECT_EQ(all->view(), "12345");
}

// "A system call is made only when a call needs bytes that are not there":
// 4 KiB at first, then 64.
TEST(ReaderTest, SmallReadsShareLargeRefills) {
  const std::string bytes = Pattern(1 << 20);
  Reader in(SourceOf({bytes}));
  char record[64];
  for (size_t at = 0; at < bytes.size(); at += sizeof(record)) {
    ASSERT_THAT(in.ReadExactly(absl::MakeSpan(record)), IsOk());
    ASSERT_EQ(absl::string_view(record, 64), bytes.substr(at, 64));
  }
  EXPECT_LE(in.flow().GetStats().reads, 20u);
}

TEST(ReaderTest, IntegersHaveTheirOrderAndSign) {
  Reader in(SourceOf({std::string("\x01\x02\x01\x02\xff\xfe\xff\xff\xff", 9),
                      std::string("\x80\0\0\0\0\0\0\x01\x05", 9)}));
  EXPECT_THAT(in.ReadInt<uint16_t>(Endian::kBig), IsData(0x0102));
  EXPECT_THAT(in.ReadInt<uint16_t>(Endian::kLittle), IsData(0x0201));
  EXPECT_THAT(in.ReadInt<uint8_t>(Endian::kBig), IsData(0xff));
  EXPECT_THAT(in.ReadInt<int32_t>(Endian::kLittle), IsData(-2));
  EXPECT_THAT(in.ReadInt<uint64_t>(Endian::kBig),
              IsData(uint64_t{0x8000000000000001}));
  EXPECT_THAT(in.ReadInt<int16_t>(Endian::kBig),
              AllOf(IsKind(ErrorKind::kTruncated), HasBytesDone(1)));
  EXPECT_THAT(in.ReadInt<int8_t>(Endian::kBig), IsData(5));
  EXPECT_THAT(in.ReadInt<int8_t>(Endian::kBig), IsEof());
}

// "One that is longer than its number needs, or beyond 64 bits, is refused."
TEST(ReaderTest, VarintThatIsNotTheShortestIsRefused) {
  for (const std::string& bad :
       {std::string("\x80\0", 2), std::string("\xff\x80\0", 3),
        std::string(9, '\xff') + '\x02', std::string(10, '\x80')}) {
    Reader in(SourceOf({bad}));
    EXPECT_THAT(in.ReadVarint(), AllOf(StatusIs(absl::StatusCode::kDataLoss),
                                       IsKind(ErrorKind::kOther)));
    EXPECT_EQ(in.Buffered(), bad);
  }
  Reader in(SourceOf({std::string("\0\x7f", 2), "\x80\x01",
                      std::string(9, '\xff') + '\x01' + '\x80'}));
  EXPECT_THAT(in.ReadVarint(), IsData(0u));
  EXPECT_THAT(in.ReadVarint(), IsData(127u));
  EXPECT_THAT(in.ReadVarint(), IsData(128u));
  EXPECT_THAT(in.ReadVarint(), IsData(UINT64_MAX));
  EXPECT_THAT(in.ReadVarint(),
              AllOf(IsKind(ErrorKind::kTruncated), HasBytesDone(1)));
}

// A frame too long is refused by its length alone, which stays.
TEST(ReaderTest, FrameBeyondTheLimitIsRefusedBeforeItComes) {
  auto [ours, peer] = MemoryPair();
  Reader in(std::move(ours));
  FrameFormat format;
  format.prefix = LengthPrefix::kU32Big;
  format.max_length = 1000;
  ASSERT_THAT(peer.Write(absl::string_view("\xff\xff\xff\xff", 4)), IsOk());
  EXPECT_THAT(in.ReadFrame(format),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("a frame of 4294967295 bytes")));
  EXPECT_EQ(in.Buffered().size(), 4u);
  format.prefix = LengthPrefix::kU64Little;
  format.max_length = SIZE_MAX;
  ASSERT_THAT(peer.Write(absl::string_view("\xff\xff\xff\xff", 4)), IsOk());
  EXPECT_THAT(in.ReadFrame(format),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

// A peer that announces a gigabyte and sends little gets little memory: a
// Reader that believed it would not get past the allocation.
TEST(ReaderTest, AnnouncedLengthIsNotBelieved) {
  FrameFormat format;
  format.prefix = LengthPrefix::kU64Big;
  format.max_length = SIZE_MAX / 2;
  Reader in(SourceOf({std::string("\0\x7f\0\0\0\0\0\0abc", 11)}));
  EXPECT_THAT(in.ReadFrame(format),
              AllOf(IsKind(ErrorKind::kTruncated), HasBytesDone(11)));
}

// P1: an error is no end; what had arrived before it is given first.
TEST(ReaderTest, ErrorComesBehindWhatHadArrived) {
  Reader in(SourceOf({"one\ntw"}, ECONNRESET));
  EXPECT_THAT(in.ReadLine(), IsData(Whole("one")));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(in.ReadLine(),
                AllOf(StatusIs(absl::StatusCode::kUnavailable),
                      IsKind(ErrorKind::kReset), HasBytesDone(2)));
  }
  EXPECT_THAT(in.ReadAll(100), IsKind(ErrorKind::kReset));
  EXPECT_THAT(in.Read(), IsData("tw"));
  EXPECT_THAT(in.Read(), IsKind(ErrorKind::kReset));
}

// P3, case 42: at the instant, with the count, and nothing lost.
TEST(ReaderTest, DeadlineOfASlowReadTellsHowMuchIsThere) {
  SimSyscalls sim;
  flow_testing::MemoryPairOptions on_sim;
  on_sim.sys = &sim;
  auto [ours, peer] = MemoryPair(1 << 20, on_sim);
  Reader in(std::move(ours));
  std::string space(1 << 20, '\0');
  absl::StatusOr<OrEof<size_t>> got = OrEof<size_t>(size_t{0});
  std::thread reader([&] {
    got =
        in.ReadExactly(absl::MakeSpan(space), sim.In(absl::Milliseconds(500)));
  });
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(sim.WaitForSleepers(1));
    ASSERT_THAT(peer.Write("x"), IsOk());
    // The byte is taken before time goes on.
    const auto read = static_cast<uint64_t>(i) + 1;
    while (in.flow().GetStats().bytes_read != read) {
      std::this_thread::yield();
    }
    ASSERT_TRUE(sim.WaitForSleepers(1));
    sim.Advance(absl::Milliseconds(10));
  }
  reader.join();
  EXPECT_THAT(got, AllOf(StatusIs(absl::StatusCode::kDeadlineExceeded),
                         IsKind(ErrorKind::kDeadline), HasBytesDone(50)));
  EXPECT_EQ(sim.elapsed(), absl::Milliseconds(500));
  EXPECT_EQ(in.Buffered(), std::string(50, 'x'));
}

// "What is buffered is given without asking the flow": not even its limits.
TEST(ReaderTest, WhatIsThereNeedsNoFlow) {
  Reader in(SourceOf({"one\ntwo\n"}));
  EXPECT_THAT(in.ReadLine(), IsData(Whole("one")));
  EXPECT_THAT(in.Close(), IsOk());
  EXPECT_THAT(in.ReadLine(absl::ZeroDuration()), IsData(Whole("two")));
  EXPECT_THAT(in.ReadLine(), IsKind(ErrorKind::kClosedLocally));
}

// P3: Close, from any thread.
TEST(ReaderTest, CloseWakesABlockedRead) {
  auto [ours, peer] = MemoryPair();
  Reader in(std::move(ours));
  ASSERT_THAT(peer.Write("half a li"), IsOk());
  ASSERT_THAT(in.Peek(9), IsData("half a li"));
  absl::Status status;
  std::thread reader([&] { status = in.ReadLine().status(); });
  while (in.flow().GetStats().reading == Activity::kIdle) {
    std::this_thread::yield();
  }
  EXPECT_THAT(in.Close(), IsOk());
  reader.join();
  EXPECT_THAT(status,
              AllOf(StatusIs(absl::StatusCode::kCancelled),
                    IsKind(ErrorKind::kClosedLocally), HasBytesDone(9)));
  EXPECT_EQ(in.Buffered(), "half a li");
}

// "With nothing unread it is the very flow."
TEST(ReaderTest, ReleaseGivesTheUnreadBytesBack) {
  auto [ours, peer] = MemoryPair();
  ASSERT_THAT(peer.Write("STARTTLS\n\x16hello"), IsOk());
  Reader in(std::move(ours));
  ASSERT_THAT(in.ReadLine(), IsData(Whole("STARTTLS")));
  absl::StatusOr<Flow> rest = in.Release();
  ASSERT_THAT(rest, IsOk());
  EXPECT_THAT(in.Read(), IsKind(ErrorKind::kClosedLocally));
  Reader again(*std::move(rest));
  EXPECT_THAT(again.ReadExactly(6), IsData("\x16hello"));
  rest = again.Release();
  ASSERT_THAT(rest, IsOk());
  ASSERT_THAT(peer.Write("more"), IsOk());
  EXPECT_THAT(rest->Read(), IsData("more"));
  ASSERT_THAT(rest->Write("answer"), IsOk());
  EXPECT_THAT(peer.Read(), IsData("answer"));
}

// "FAILED_PRECONDITION, with nothing changed, after an ending."
TEST(ReaderTest, ReleaseThatFailsLosesNothing) {
  Reader in(SourceOf({"rest"}));
  EXPECT_THAT(in.Peek(5), IsData("rest"));
  EXPECT_THAT(in.Release(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(in.Read(), IsData("rest"));
  EXPECT_THAT(in.Read(), IsEof());
}

TEST(ReaderTest, MovedFromReaderIsClosed) {
  Reader in(SourceOf({"one\ntwo\n"}));
  EXPECT_THAT(in.ReadLine(), IsData(Whole("one")));
  Reader other = std::move(in);
  EXPECT_THAT(in.ReadLine(),  // NOLINT(bugprone-use-after-move): is the claim
              IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(other.ReadLine(), IsData(Whole("two")));
  in = std::move(other);
  EXPECT_THAT(in.ReadLine(), IsEof());
}

}  // namespace
}  // namespace flow
