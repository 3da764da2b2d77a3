// The write side: the lines "write: ..." of the table in flow/flow.h, and what
// the forms of Write accept.

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/cancel.h"
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
using conformance::kLong;
using conformance::kShort;
using conformance::Pattern;
using conformance::ReadExactly;
using conformance::ReadToEof;
using conformance::WriteCall;
using conformance::WriteCalls;
using ::flow::CancelSource;
using ::flow::ErrorKind;
using ::flow::Limits;
using ::flow::ShutdownMode;

using Flow = TestedFlow;  // whoever makes its calls

// Every form of Write, of bytes and of nothing, gives this code and kind, three
// times each: endings come before lengths.
void ExpectStays(Flow& flow, absl::StatusCode code, ErrorKind kind) {
  for (int i = 0; i < 3; ++i) {
    for (const WriteCall& write : WriteCalls()) {
      for (const absl::string_view bytes : {"abc", ""}) {
        const absl::Status s = write.call(flow, bytes, {});
        EXPECT_THAT(s, StatusIs(code)) << write.name;
        EXPECT_THAT(s, IsKind(kind)) << write.name;
      }
    }
  }
}

void ExpectStaysShut(Flow& flow) {
  ExpectStays(flow, absl::StatusCode::kFailedPrecondition,
              ErrorKind::kClosedLocally);
}

// Row "open" for every form; they arrive in the order of the calls (P2).
TEST_P(FlowConformance, EveryFormOfWriteArrives) {
  for (const WriteCall& write : WriteCalls()) {
    Background<absl::StatusOr<std::string>> received(
        [this] { return ReadExactly(b(), 5); });
    for (const absl::string_view text : {"a", "b", "c", "d", "e"}) {
      ASSERT_THAT(write.call(a(), text, kLong), IsOk()) << write.name;
    }
    EXPECT_THAT(received.Get(), IsOkAndHolds("abcde")) << write.name;
  }
}

// Case 59: Write of nothing is OK, and the peer sees nothing, least of all Eof.
TEST_P(FlowConformance, WriteOfNothingIsOkAndSendsNothing) {
  for (const WriteCall& write : WriteCalls()) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(write.call(a(), "", kLong), IsOk()) << write.name;
    }
  }
  EXPECT_THAT(a().WriteSome("", kLong), IsOkAndHolds(0u));
  EXPECT_THAT(a().Writev({}, kLong), IsOk());
  EXPECT_THAT(a().Writev({"", "", ""}, kLong), IsOk());
  EXPECT_THAT(Exchange(a(), b(), "!"), IsOk());
}

// Case 53: any number of pieces around the kernel's limit of 1024, empty ones
// among them.
TEST_P(FlowConformance, WritevOfAnyNumberOfPiecesIsExact) {
  for (const size_t count : {0, 1, 10, 1023, 1024, 1025, 10'000}) {
    const std::string sent = Pattern(count, count);
    std::vector<absl::string_view> pieces;
    for (size_t i = 0; i < count; ++i) {
      pieces.push_back(absl::string_view(sent).substr(i, 1));
      if (i % 3 == 0) pieces.emplace_back();
    }
    Background<absl::Status> write([&] { return a().Writev(pieces, kLong); });
    EXPECT_TRUE(*ReadExactly(b(), count) == sent) << count << " pieces";
    EXPECT_THAT(write.Get(), IsOk());
  }
}

// Case 52 from the outside: pieces much larger than the stream holds, cut where
// it likes, come out in one.
TEST_P(FlowConformance, WritevOfLargePiecesIsExact) {
  const std::string sent = Pattern(Bulk(1'000'003));
  const absl::string_view all = sent;
  const size_t cut = sent.size() * 2 / 5;
  const std::vector<absl::string_view> pieces = {
      all.substr(0, cut), all.substr(cut, 1), all.substr(cut + 1)};
  Background<absl::Status> write([&] { return a().Writev(pieces, kLong); });
  EXPECT_TRUE(*ReadExactly(b(), sent.size()) == sent);
  EXPECT_THAT(write.Get(), IsOk());
}

// A Cord of many chunks, too.
TEST_P(FlowConformance, WriteOfACordInChunksIsExact) {
  const std::string sent = Pattern(Bulk(300'000));
  absl::Cord cord;
  for (size_t at = 0, size = 1; at < sent.size(); at += size, size += 501) {
    // A Cord of its own for each, or appending would merge small chunks.
    cord.Append(absl::Cord(absl::string_view(sent).substr(at, size)));
  }
  Background<absl::Status> write([&] { return a().Write(cord, kLong); });
  EXPECT_TRUE(*ReadExactly(b(), sent.size()) == sent);
  EXPECT_THAT(write.Get(), IsOk());
}

// Bad arguments are refused before a byte moves, and nothing sticks.
TEST_P(FlowConformance, NullPiecesWithALengthAreInvalidAndSendNothing) {
  if (!Applies(!a().owns_bytes(), "writes own their bytes")) return;
  const absl::string_view null(nullptr, 5);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(a().Write(null, kLong),
                StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(a().WriteSome(null, kLong).status(),
                StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(a().Writev({"good", null}, kLong),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(Exchange(a(), b(), "only this"), IsOk());
}

TEST_P(FlowConformance, LengthsThatOverflowAreInvalidAndSendNothing) {
  if (!Applies(!a().owns_bytes(), "writes own their bytes")) return;
  const char byte = 'x';
  const absl::string_view huge(&byte, std::numeric_limits<size_t>::max() / 2);
  EXPECT_THAT(a().Writev({"good", huge, huge, huge}, kLong),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Exchange(a(), b(), "only this"), IsOk());
}

// Seed: "if a partial write occured, write will wait until the remainder has
// been accepted": a Write of more than fits blocks until the peer reads
// (case 114).
TEST_P(FlowConformance, WriteWaitsUntilAllIsAccepted) {
  const std::string much = Pattern(target().more_than_fits);
  Background<absl::Status> write([&] { return a().Write(much, kLong); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  EXPECT_FALSE(write.done());
  EXPECT_TRUE(*ReadExactly(b(), much.size()) == much);
  EXPECT_THAT(write.Get(), IsOk());
}

// Seed: Shutdown of writing: "subsequent calls will return `Closed". OK as
// often as it is asked for.
TEST_P(FlowConformance, WritesAfterShutdownWriteAreClosedLocally) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(a().Shutdown(ShutdownMode::kWrite), IsOk());
  }
  ExpectStaysShut(a());
  EXPECT_THAT(a().Shutdown(ShutdownMode::kReadWrite), IsOk());
  ExpectStaysShut(a());
  EXPECT_THAT(a().Close(), IsOk());
}

// Shutdown(kReadWrite): both at once, blocked Read included.
TEST_P(FlowConformance, ShutdownReadWriteEndsBothSides) {
  if (!Applies(target().duplex, "one-way")) return;
  Background<absl::StatusOr<flow::OrEof<flow::Buffer>>> read(
      [this] { return a().Read(kLong); });
  ASSERT_TRUE(conformance::WaitUntilReading(a()));
  EXPECT_THAT(a().Shutdown(ShutdownMode::kReadWrite, kLong), IsOk());
  EXPECT_THAT(read.Get(), IsOkAndHolds(IsEof()));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(a().Read(), IsOkAndHolds(IsEof()));
  }
  ExpectStaysShut(a());
  if (target().ends_are_visible) {
    EXPECT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
  }
}

// A direction that a flow does not have: "Eof on read, closed locally on write,
// from birth".
TEST_P(FlowConformance, ADirectionThatIsNotThereIsShutFromBirth) {
  if (!Applies(!target().duplex, "two-way")) return;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(a().Read(), IsOkAndHolds(IsEof()));
    EXPECT_THAT(a().ReadInto(absl::Span<char>()), IsOkAndHolds(IsEof()));
  }
  ExpectStaysShut(b());
  EXPECT_THAT(a().Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(b().Shutdown(ShutdownMode::kWrite), IsOk());
}

// Row "write: open, Shutdown": it takes its turn after the Write under way, so
// that the peer gets all of it and then Eof.
TEST_P(FlowConformance, ShutdownWriteWaitsForTheWriteUnderWay) {
  const std::string much = Pattern(target().more_than_fits);
  Background<absl::Status> write([&] { return a().Write(much, kLong); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  Background<absl::Status> shut(
      [this] { return a().Shutdown(ShutdownMode::kWrite, kLong); });
  ASSERT_TRUE(conformance::WaitUntilWritesQueue(a(), 1));
  EXPECT_FALSE(shut.done());
  EXPECT_TRUE(*ReadExactly(b(), much.size()) == much);
  EXPECT_THAT(write.Get(), IsOk());
  EXPECT_THAT(shut.Get(), IsOk());
  if (target().ends_are_visible) {
    EXPECT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
  }
  ExpectStaysShut(a());
}

// A Shutdown that a limit cut can be called again and goes on; the Write that
// it waited for is not harmed.
TEST_P(FlowConformance, AShutdownCutByItsLimitCanBeRepeated) {
  const std::string much = Pattern(target().more_than_fits);
  Background<absl::Status> write([&] { return a().Write(much, kLong); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  EXPECT_THAT(a().Shutdown(ShutdownMode::kWrite, kShort),
              IsKind(ErrorKind::kDeadline));
  EXPECT_TRUE(*ReadExactly(b(), much.size()) == much);
  EXPECT_THAT(write.Get(), IsOk());
  EXPECT_THAT(a().Shutdown(ShutdownMode::kWrite, absl::ZeroDuration()),
              IsKind(ErrorKind::kDeadline));
  EXPECT_THAT(a().Shutdown(ShutdownMode::kWrite, kLong), IsOk());
  ExpectStaysShut(a());
  if (target().ends_are_visible) {
    EXPECT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
  }
}

// Case 7, row "write: closed by peer / error": it stays what it was first, and
// Shutdown is OK all the same; after that the own Shutdown comes first.
TEST_P(FlowConformance, WritesToAPeerThatIsGoneFailAlike) {
  ASSERT_THAT(b().Close(), IsOk());
  const absl::Status first = conformance::WriteUntilItFails(a());
  EXPECT_TRUE(flow::IsClosed(first)) << first;
  EXPECT_FALSE(flow::IsClosedLocally(first)) << first;
  ExpectStays(a(), first.code(), flow::KindOf(first));
  EXPECT_THAT(a().Shutdown(ShutdownMode::kWrite, kLong), IsOk());
  ExpectStaysShut(a());
  EXPECT_THAT(a().Close(), IsOk());
}

// P2: a Write that its peer's end cuts says how much had been accepted, and the
// side stays ended.
TEST_P(FlowConformance, AWriteCutByThePeersEndFailsWithItsCount) {
  const std::string much = Pattern(target().more_than_fits);
  Background<absl::Status> write([&] { return a().Write(much, kLong); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  ASSERT_THAT(b().Close(), IsOk());
  const absl::Status first = write.Get();
  EXPECT_TRUE(flow::IsClosed(first)) << first;
  EXPECT_FALSE(flow::IsClosedLocally(first)) << first;
  EXPECT_GT(flow::BytesDone(first), 0u);
  EXPECT_LT(flow::BytesDone(first), much.size());
  EXPECT_EQ(flow::BytesDone(first), a().GetStats().bytes_written);
  ExpectStays(a(), first.code(), flow::KindOf(first));
}

// Row "write: sealed", case 41: the count is what the peer can read; later
// writes are refused with the first count; Shutdown still sends the end mark.
TEST_P(FlowConformance, AWriteCutByALimitSealsTheSide) {
  const std::string much = Pattern(target().more_than_fits);
  CancelSource stop;
  Background<absl::Status> write(
      [&] { return a().Write(much, Limits(stop.token())); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  stop.Cancel();
  const absl::Status cut = write.Get();
  EXPECT_THAT(cut, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(cut, IsKind(ErrorKind::kCancelled));
  const size_t count = flow::BytesDone(cut);
  EXPECT_GT(count, 0u);
  EXPECT_LT(count, much.size());
  ExpectStays(a(), absl::StatusCode::kFailedPrecondition, ErrorKind::kSealed);
  for (const WriteCall& again : WriteCalls()) {
    EXPECT_EQ(flow::BytesDone(again.call(a(), "x", kLong)), count)
        << again.name;
  }
  Step("Shutdown of a sealed side, with the peer reading");
  Background<absl::Status> end([this] { return End(a()); });
  const absl::StatusOr<std::string> got = ReadToEof(b());
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(got->size(), count);
  EXPECT_TRUE(absl::string_view(much).substr(0, count) == *got);
  EXPECT_THAT(end.Get(), IsOk());
  ExpectStaysShut(a());
}

// Contract: "if a limit hit before the first byte, [the side] is as it was".
TEST_P(FlowConformance, ALimitBeforeTheFirstByteChangesNothing) {
  ASSERT_THAT(Clog(a()), IsOk());
  for (const WriteCall& write : WriteCalls()) {
    const absl::Status s =
        UntilItBlocks(a(), [&] { return write.call(a(), "x", kShort); });
    EXPECT_THAT(s, StatusIs(absl::StatusCode::kDeadlineExceeded)) << write.name;
    EXPECT_THAT(s, IsKind(ErrorKind::kDeadline)) << write.name;
    EXPECT_EQ(flow::BytesDone(s), 0u) << write.name;
  }
  Step("reading what fitted");
  ASSERT_THAT(ReadCounted(a().GetStats().bytes_written), IsOk());
  EXPECT_THAT(Exchange(a(), b(), "sent"), IsOk());
}

// Contract: "Who wants to go on after a limit uses WriteSome"; an error of it
// means that nothing was taken, so the sum of its values is exact (case 41).
TEST_P(FlowConformance, WriteSomeGoesOnExactlyAfterLimits) {
  const std::string much = Pattern(target().more_than_fits);
  absl::string_view rest = much;
  int limits_hit = 0;
  std::unique_ptr<Background<absl::StatusOr<std::string>>> read;
  while (!rest.empty()) {
    const absl::StatusOr<size_t> took =
        a().WriteSome(rest.substr(0, 1 << 20), absl::Milliseconds(10));
    if (took.ok()) {
      ASSERT_GE(*took, 1u);
      ASSERT_LE(*took, rest.size());
      rest.remove_prefix(*took);
      continue;
    }
    ASSERT_THAT(took.status(), IsKind(ErrorKind::kDeadline));
    EXPECT_EQ(flow::BytesDone(took.status()), 0u);
    // The peer begins to read only after two limits were hit.
    if (++limits_hit == 2) {
      read = std::make_unique<Background<absl::StatusOr<std::string>>>(
          [&] { return ReadExactly(b(), much.size()); });
    }
  }
  ASSERT_NE(read, nullptr);
  // A layer may hold back the last of it until the next call.
  if (target().holds_back) {
    EXPECT_THAT(a().Shutdown(flow::ShutdownMode::kWrite, kLong), IsOk());
  }
  ASSERT_THAT(read->Get(), IsOk());
  EXPECT_TRUE(*read->Get() == much);
}

// "Several Writes ... never interleave", whatever their form and size.
TEST_P(FlowConformance, ConcurrentWritesNeverInterleave) {
  constexpr size_t kWriters = 4, kMessages = 12;
  const size_t least = Bulk(1'000'000) / 100;
  const auto size_of = [least](size_t writer, size_t message) {
    return least + least * 9 / 10 * writer + 3 * message;
  };
  std::vector<std::unique_ptr<Background<absl::Status>>> writers;
  size_t total = 0;
  for (size_t w = 0; w < kWriters; ++w) {
    for (size_t m = 0; m < kMessages; ++m) total += 2 + size_of(w, m);
    writers.push_back(std::make_unique<Background<absl::Status>>([&, w] {
      for (size_t m = 0; m < kMessages; ++m) {
        const std::string message =
            absl::StrCat(std::string(1, static_cast<char>(w)),
                         std::string(1, static_cast<char>(m)),
                         Pattern(size_of(w, m), w * kMessages + m));
        // Not WriteSome, whose steps may interleave.
        const absl::Status s = WriteCalls()[w % 3].call(a(), message, kLong);
        if (!s.ok()) return s;
      }
      return absl::OkStatus();
    }));
  }
  const absl::StatusOr<std::string> got = ReadExactly(b(), total);
  ASSERT_THAT(got, IsOk());
  for (const auto& writer : writers) EXPECT_THAT(writer->Get(), IsOk());
  std::vector<size_t> next(kWriters);
  for (absl::string_view rest = *got; !rest.empty();) {
    const size_t w = static_cast<unsigned char>(rest[0]);
    const size_t m = static_cast<unsigned char>(rest[1]);
    ASSERT_LT(w, kWriters) << "not the start of a message";
    ASSERT_EQ(m, next[w]++) << "a writer's messages are out of order";
    ASSERT_TRUE(rest.substr(2, size_of(w, m)) ==
                Pattern(size_of(w, m), w * kMessages + m))
        << "message " << m << " of writer " << w << " is torn";
    rest.remove_prefix(2 + size_of(w, m));
  }
}

// "Several Writes are served first come, first served": also one that comes to
// the queue while another waits for the peer.
TEST_P(FlowConformance, QueuedWritesAreServedInOrder) {
  const std::string much = Pattern(target().more_than_fits);
  Background<absl::Status> first([&] { return a().Write(much, kLong); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  std::vector<std::unique_ptr<Background<absl::Status>>> queued;
  for (const absl::string_view text : {"1", "2", "3", "4"}) {
    queued.push_back(std::make_unique<Background<absl::Status>>(
        [this, text] { return a().Write(text, kLong); }));
    ASSERT_TRUE(conformance::WaitUntilWritesQueue(
        a(), static_cast<uint32_t>(queued.size())));
    EXPECT_FALSE(queued.back()->done());
  }
  EXPECT_TRUE(*ReadExactly(b(), much.size()) == much);
  EXPECT_THAT(ReadExactly(b(), 4), IsOkAndHolds("1234"));
  EXPECT_THAT(first.Get(), IsOk());
  for (const auto& write : queued) EXPECT_THAT(write->Get(), IsOk());
}

// The same for Reads.
TEST_P(FlowConformance, QueuedReadsAreServedInOrder) {
  using Result = absl::StatusOr<std::string>;
  std::vector<std::unique_ptr<Background<Result>>> queued;
  for (uint32_t i = 0; i < 4; ++i) {
    queued.push_back(std::make_unique<Background<Result>>(
        [this] { return ReadExactly(b(), 1); }));
    ASSERT_TRUE(i == 0 ? conformance::WaitUntilReading(b())
                       : conformance::WaitUntilReadsQueue(b(), i));
  }
  ASSERT_THAT(a().Write("1234", kLong), IsOk());
  EXPECT_THAT(queued[0]->Get(), IsOkAndHolds("1"));
  EXPECT_THAT(queued[1]->Get(), IsOkAndHolds("2"));
  EXPECT_THAT(queued[2]->Get(), IsOkAndHolds("3"));
  EXPECT_THAT(queued[3]->Get(), IsOkAndHolds("4"));
}

}  // namespace
}  // namespace flow_testing
