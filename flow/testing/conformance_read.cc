// The read side: the lines "read: ..." of the table in flow/flow.h, and what a
// Read returns while the side is open.

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/flow.h"
#include "flow/testing/conformance.h"
#include "flow/testing/conformance_support.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using conformance::Background;
using conformance::Exchange;
using conformance::kLate;
using conformance::kLong;
using conformance::kShort;
using conformance::Pattern;
using conformance::ReadCall;
using conformance::ReadCalls;
using conformance::ReadExactly;
using conformance::ReadToEof;
using ::flow::Buffer;
using ::flow::ErrorKind;
using ::flow::OrEof;
using ::flow::ShutdownMode;

using ReadResult = absl::StatusOr<OrEof<Buffer>>;

using Flow = TestedFlow;  // whoever makes its calls

// Every form of Read on a side that has ended in order says Eof, as often as it
// is asked (three times each).
void ExpectStaysEof(Flow& flow) {
  for (int i = 0; i < 3; ++i) {
    for (const ReadCall& read : ReadCalls()) {
      EXPECT_THAT(read.call(flow, {}), IsOkAndHolds(IsEof())) << read.name;
    }
    EXPECT_THAT(flow.ReadInto(absl::Span<char>()), IsOkAndHolds(IsEof()));
  }
}

// Every form of Read gives the error `first`, as often as it is asked, and
// never Eof (P1).
void ExpectStays(Flow& flow, const absl::Status& first) {
  for (int i = 0; i < 3; ++i) {
    for (const ReadCall& read : ReadCalls()) {
      const absl::Status again = read.call(flow, {}).status();
      EXPECT_EQ(again.code(), first.code()) << read.name << ": " << again;
      EXPECT_THAT(again, IsKind(flow::KindOf(first))) << read.name;
    }
    const absl::Status empty = flow.ReadInto(absl::Span<char>()).status();
    EXPECT_EQ(empty.code(), first.code()) << "empty ReadInto: " << empty;
  }
}

// Seed: a fresh buffer of "at least 1 byte", whose memory fits what it holds.
TEST_P(FlowConformance, ReadGivesAFreshBufferThatFits) {
  for (const size_t size : {size_t{1}, size_t{10}, size_t{5000}}) {
    const std::string sent = Pattern(size, size);
    Background<absl::Status> write([&] { return a().Write(sent, kLong); });
    std::string all;
    while (all.size() < size) {
      const ReadResult got = b().Read(kLong);
      ASSERT_THAT(got, IsOk());
      ASSERT_TRUE(got->has_data());
      ASSERT_GE(got->data().size(), 1u);
      EXPECT_LE(got->data().capacity(), 2 * got->data().size());
      all.append(got->data().view());
    }
    EXPECT_EQ(all, sent);
    EXPECT_THAT(write.Get(), IsOk());
  }
}

// Contract: ReadInto gives "between 1 and into.size() bytes"; a contiguous run
// (P2), and touches nothing behind it.
TEST_P(FlowConformance, ReadIntoFillsTheCallersMemoryAndNoMore) {
  const std::string sent = Pattern(300);
  Background<absl::Status> write([&] { return a().Write(sent, kLong); });
  std::string all;
  for (size_t room = 1; all.size() < sent.size(); room = room % 7 + 1) {
    std::vector<char> memory(room + 8, '#');
    const absl::StatusOr<OrEof<size_t>> got =
        b().ReadInto(absl::MakeSpan(memory.data(), room), kLong);
    ASSERT_THAT(got, IsOk());
    ASSERT_TRUE(got->has_data());
    ASSERT_GE(got->data(), 1u);
    ASSERT_LE(got->data(), room);
    EXPECT_EQ(std::string(&memory[room], 8), "########");
    all.append(memory.data(), got->data());
  }
  EXPECT_EQ(all, sent);
  EXPECT_THAT(write.Get(), IsOk());
}

// Case 58: "empty span on an open flow: 0 at once", idle, with data waiting,
// and while another call reads; the data stays.
TEST_P(FlowConformance, EmptyReadIntoIsZeroAtOnceAndTakesNothing) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(b().ReadInto(absl::Span<char>()), IsOkAndHolds(IsData(0u)));
  }
  Step("empty ReadInto while another thread reads");
  Background<ReadResult> read([this] { return b().Read(kLong); });
  EXPECT_TRUE(conformance::WaitUntilReading(b()));
  EXPECT_THAT(b().ReadInto(absl::Span<char>()), IsOkAndHolds(IsData(0u)));
  ASSERT_THAT(a().Write("x", kLong), IsOk());
  EXPECT_EQ(conformance::Outcome(read.Get()), "data: x");
  Step("empty ReadInto with data waiting");
  ASSERT_THAT(a().Write("y", kLong), IsOk());
  EXPECT_THAT(b().ReadInto(absl::Span<char>()), IsOkAndHolds(IsData(0u)));
  EXPECT_THAT(ReadExactly(b(), 1), IsOkAndHolds("y"));
}

// Contract: "A null span with a length is INVALID_ARGUMENT": nothing consumed,
// nothing sticks.
TEST_P(FlowConformance, NullSpanWithALengthIsInvalidAndTakesNothing) {
  ASSERT_THAT(a().Write("z", kLong), IsOk());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(b().ReadInto(absl::Span<char>(nullptr, 5), kLong).status(),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(ReadExactly(b(), 1), IsOkAndHolds("z"));
}

// Row "open": a Read waits for data, and is then woken by it.
TEST_P(FlowConformance, ReadWaitsForData) {
  for (const ReadCall& read : ReadCalls()) {
    Step(read.name);
    Background<absl::StatusOr<OrEof<std::string>>> blocked(
        [&] { return read.call(b(), kLong); });
    ASSERT_TRUE(conformance::WaitUntilReading(b()));
    EXPECT_FALSE(blocked.done());
    ASSERT_THAT(a().Write("w", kLong), IsOk());
    EXPECT_THAT(blocked.Get(), IsOkAndHolds(IsData("w")));
  }
}

// P1, P2: all that was written comes first, then Eof, and Eof stays (row "read:
// eof"), also after Shutdown(kRead).
TEST_P(FlowConformance, EofComesAfterTheDataAndStays) {
  Background<absl::Status> send([this] {
    const absl::Status s = a().Write("foo", kLong);
    return s.ok() ? End(a()) : s;
  });
  EXPECT_THAT(ReadToEof(b()), IsOkAndHolds("foo"));
  EXPECT_THAT(send.Get(), IsOk());
  ExpectStaysEof(b());
  EXPECT_THAT(b().Shutdown(ShutdownMode::kRead), IsOk());
  ExpectStaysEof(b());
  EXPECT_THAT(b().Close(), IsOk());
}

// P1: a peer that closes, having read all that came, ends in order.
TEST_P(FlowConformance, CloseInOrderIsEof) {
  Background<absl::Status> send([this] {
    const absl::Status s = a().Write("foo", kLong);
    return s.ok() ? a().Close() : s;
  });
  EXPECT_THAT(ReadToEof(b()), IsOkAndHolds("foo"));
  EXPECT_THAT(send.Get(), IsOk());
  ExpectStaysEof(b());
}

// Row "open": the peer's end wakes a Read that waits.
TEST_P(FlowConformance, EofWakesABlockedRead) {
  Background<ReadResult> read([this] { return b().Read(kLong); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  ASSERT_THAT(End(a()), IsOk());
  EXPECT_THAT(read.Get(), IsOkAndHolds(IsEof()));
  ExpectStaysEof(b());
}

// Seed: "A flow which is shutdown `read will never be read again (subsequent
// calls will return `Eof)"; even if data is there, or comes later.
TEST_P(FlowConformance, ShutdownReadIsEofWhateverComes) {
  ASSERT_THAT(a().Write("e", kLong), IsOk());
  EXPECT_THAT(b().Shutdown(ShutdownMode::kRead), IsOk());
  ExpectStaysEof(b());
  // The peer may be refused now, or not, or find no room.
  static_cast<void>(a().Write("l", kShort));
  ExpectStaysEof(b());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(b().Shutdown(ShutdownMode::kRead), IsOk());
  }
  ExpectStaysEof(b());
}

// Row "read: shut (also a Read that is blocked right now)"; and one that queues
// behind it.
TEST_P(FlowConformance, ShutdownReadWakesBlockedReadsWithEof) {
  Background<ReadResult> first([this] { return b().Read(kLong); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  Background<ReadResult> second([this] { return b().Read(kLong); });
  ASSERT_TRUE(conformance::WaitUntilReadsQueue(b(), 1));
  const flow::MonoTime before = flow::MonoTime::Now();
  EXPECT_THAT(b().Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(first.Get(), IsOkAndHolds(IsEof()));
  EXPECT_THAT(second.Get(), IsOkAndHolds(IsEof()));
  EXPECT_LT(first.ended() - before, absl::Milliseconds(100) + kLate);
  EXPECT_LT(second.ended() - before, absl::Milliseconds(100) + kLate);
}

// The sides are independent: after Shutdown(kRead) writing goes on, and after
// Eof too.
TEST_P(FlowConformance, TheEndOfReadingLeavesWritingAlone) {
  if (!Applies(target().duplex, "one-way")) return;
  EXPECT_THAT(b().Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(Exchange(b(), a(), "still"), IsOk());
  if (!target().ends_are_visible) return;
  auto [c, d] = MakePair();
  ASSERT_THAT(c.Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(d.Read(kLong), IsOkAndHolds(IsEof()));
  EXPECT_THAT(Exchange(d, c, "after eof"), IsOk());
}

// P1, P2: who half-closes still gets the whole of a late reply, then Eof.
TEST_P(FlowConformance, HalfCloseStillGetsTheLateReply) {
  if (!Applies(target().duplex && target().ends_are_visible, "no half-close")) {
    return;
  }
  Background<absl::Status> request([this] {
    const absl::Status s = a().Write("request", kLong);
    return s.ok() ? a().Shutdown(ShutdownMode::kWrite, kLong) : s;
  });
  Background<absl::StatusOr<std::string>> reply(
      [this] { return ReadToEof(a()); });
  EXPECT_THAT(ReadToEof(b()), IsOkAndHolds("request"));
  ASSERT_TRUE(conformance::WaitUntilReading(a()));
  const std::string sent = Pattern(Bulk(200'000));
  ASSERT_THAT(b().Write(sent, kLong), IsOk());
  ASSERT_THAT(b().Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(reply.Get(), IsOk());
  EXPECT_TRUE(*reply.Get() == sent);
}

// P1, case 8: a reset is never an end of stream; the same error each time, and
// only the caller's own Shutdown(kRead) turns it into Eof.
TEST_P(FlowConformance, ResetIsNeverEof) {
  if (!Applies(target().abort_is_visible, "an abort is not visible")) return;
  Background<ReadResult> read([this] { return b().Read(kLong); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  ASSERT_THAT(a().Abort(), IsOk());
  const absl::Status error = read.Get().status();
  EXPECT_THAT(error, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(error, IsKind(ErrorKind::kReset));
  ExpectStays(b(), error);
  EXPECT_THAT(b().Shutdown(ShutdownMode::kRead), IsOk());
  ExpectStaysEof(b());
  EXPECT_THAT(b().Close(), IsOk());
}

// P1: a reset that was there before the first look is none either.
TEST_P(FlowConformance, ResetBeforeTheFirstReadIsNeverEof) {
  if (!Applies(target().abort_is_visible, "an abort is not visible")) return;
  ASSERT_THAT(a().Abort(), IsOk());
  const absl::Status error = b().Read(kLong).status();
  EXPECT_THAT(error, IsKind(ErrorKind::kReset));
  ExpectStays(b(), error);
}

// P1, DESIGN section 10: the kernel tells one of two threads of a reset; both
// have to say so. (The writer may instead be told that its peer refuses.)
TEST_P(FlowConformance, ResetReachesABlockedReaderAndABlockedWriter) {
  if (!Applies(target().duplex && target().abort_is_visible,
               "one-way, or an abort is not visible")) {
    return;
  }
  const std::string much = Pattern(target().more_than_fits);
  Background<ReadResult> read([this] { return b().Read(kLong); });
  Background<absl::Status> write([&] { return b().Write(much, kLong); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  ASSERT_TRUE(conformance::WaitUntilWriting(b()));
  ASSERT_THAT(a().Abort(), IsOk());
  EXPECT_THAT(read.Get().status(), IsKind(ErrorKind::kReset))
      << conformance::Outcome(read.Get());
  EXPECT_TRUE(flow::IsClosed(write.Get())) << write.Get();
  ExpectStays(b(), read.Get().status());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(b().Write("x", kLong).code(), write.Get().code());
  }
}

// Rows "read: error" and "write: error": an error of the whole flow that the
// reader met is the writer's too.
TEST_P(FlowConformance, ResetMetByTheReaderEndsTheWriter) {
  if (!Applies(target().duplex && target().abort_is_visible,
               "one-way, or an abort is not visible")) {
    return;
  }
  ASSERT_THAT(a().Abort(), IsOk());
  const absl::Status error = b().Read(kLong).status();
  ASSERT_THAT(error, IsKind(ErrorKind::kReset));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(b().Write("x", kLong), IsKind(ErrorKind::kReset));
    EXPECT_THAT(b().Write("", kLong), IsKind(ErrorKind::kReset));
    EXPECT_THAT(b().WriteSome("x", kLong).status(), IsKind(ErrorKind::kReset));
  }
  EXPECT_THAT(b().Shutdown(ShutdownMode::kWrite), IsOk());
}

// Row "read: draining": the writer met the reset; what had arrived is still
// read, then the error, never Eof and never a wait.
TEST_P(FlowConformance, DataBeforeAResetThatTheWriterMetIsStillRead) {
  if (!Applies(target().duplex && target().abort_is_visible,
               "one-way, or an abort is not visible")) {
    return;
  }
  ASSERT_THAT(a().Write("t", kLong), IsOk());
  ASSERT_THAT(a().Abort(), IsOk());
  const absl::Status error = conformance::WriteUntilItFails(b());
  EXPECT_TRUE(flow::IsClosed(error)) << error;
  if (!flow::IsReset(error)) return;  // it may be told that its peer refuses
  EXPECT_THAT(b().ReadInto(absl::Span<char>()), IsOkAndHolds(IsData(0u)));
  if (target().data_survives_reset) {
    EXPECT_THAT(ReadExactly(b(), 1), IsOkAndHolds("t"));
  }
  const absl::Status end = b().Read(kLong).status();
  EXPECT_THAT(end, IsKind(ErrorKind::kReset));
  ExpectStays(b(), end);
}

// The same without anything that had arrived: the error at once.
TEST_P(FlowConformance, AResetThatTheWriterMetIsTheReadersToo) {
  if (!Applies(target().duplex && target().abort_is_visible,
               "one-way, or an abort is not visible")) {
    return;
  }
  ASSERT_THAT(a().Abort(), IsOk());
  const absl::Status error = conformance::WriteUntilItFails(b());
  EXPECT_TRUE(flow::IsClosed(error)) << error;
  const absl::Status end = b().Read(kLong).status();
  EXPECT_THAT(end, IsKind(ErrorKind::kReset));
  ExpectStays(b(), end);
}

// Where nobody can see an abort, it is at least an end: the peer does not hang.
TEST_P(FlowConformance, AnAbortThatIsNotVisibleIsStillAnEnd) {
  if (!Applies(!target().abort_is_visible, "an abort is visible")) return;
  Background<ReadResult> read([this] { return b().Read(kLong); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  ASSERT_THAT(a().Abort(), IsOk());
  const ReadResult& got = read.Get();
  EXPECT_FALSE(got.ok() && got->has_data()) << conformance::Outcome(got);
  EXPECT_THAT(got.status(), ::testing::Not(IsKind(ErrorKind::kDeadline)));
}

// "Several readers: each gets a contiguous run", and together they get all of
// it, once (P2).
TEST_P(FlowConformance, ConcurrentReadersShareTheStreamInRuns) {
  const std::string sent = Pattern(Bulk(60'000));
  Background<absl::Status> write([&] {
    const absl::Status s = a().Write(sent, kLong);
    return s.ok() ? End(a()) : s;
  });
  using Runs = std::vector<std::string>;
  const auto reader = [this] {
    Runs runs;
    std::string memory(1000, '\0');
    for (;;) {
      const absl::StatusOr<OrEof<size_t>> got =
          b().ReadInto(absl::MakeSpan(&memory[0], memory.size()), kLong);
      EXPECT_THAT(got, IsOk());
      if (!got.ok() || got->is_eof()) return runs;
      runs.push_back(memory.substr(0, got->data()));
    }
  };
  Background<Runs> one(reader), two(reader), three(reader);
  size_t total = 0;
  for (Background<Runs>* each : {&one, &two, &three}) {
    size_t from = 0;
    for (const std::string& run : each->Get()) {
      total += run.size();
      // Short runs occur anywhere; longer ones only at their place, and the
      // runs of one reader are in order.
      if (run.size() < 8) continue;
      const size_t at = sent.find(run, from);
      ASSERT_NE(at, std::string::npos) << "not a contiguous run, or not later";
      from = at + run.size();
    }
  }
  EXPECT_EQ(total, sent.size());
  EXPECT_THAT(write.Get(), IsOk());
}

}  // namespace
}  // namespace flow_testing
