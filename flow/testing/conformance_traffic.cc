// Bytes in quantity and calls in a crowd: what nettest checks of a connection,
// with the exactness of P2; statistics; the words of errors.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/stats.h"
#include "flow/status.h"
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
using conformance::Pattern;
using conformance::ReadExactly;
using conformance::WriteCalls;
using ::flow::ErrorKind;
using ::flow::OrEof;
using ::flow::ShutdownMode;
using ::testing::HasSubstr;

using Flow = TestedFlow;  // whoever makes its calls

// Sends `size` bytes of a pattern in pieces of odd sizes, in every form of
// Write by turns.
absl::Status SendOddly(Flow& flow, size_t size, uint64_t seed) {
  size_t piece = 1;
  size_t form = 0;
  for (size_t at = 0; at < size;) {
    const size_t n = std::min(piece, size - at);
    // WriteSome by itself may take less.
    const absl::Status s =
        WriteCalls()[form].call(flow, Pattern(n, seed, at), kLong);
    if (!s.ok()) return s;
    at += n;
    piece = piece * 3 % 70'001 + 1;
    form = (form + 1) % 3;
  }
  return absl::OkStatus();
}

// Receives those bytes in pieces of other odd sizes. OK if all are right.
absl::Status ReceiveOddly(Flow& flow, size_t size, uint64_t seed) {
  size_t piece = 7;
  for (size_t at = 0; at < size;) {
    const size_t n = std::min(piece, size - at);
    const absl::StatusOr<std::string> got = ReadExactly(flow, n);
    if (!got.ok()) return got.status();
    if (*got != Pattern(n, seed, at)) {
      return absl::DataLossError(absl::StrCat("wrong bytes after ", at));
    }
    at += n;
    piece = piece * 5 % 30'011 + 1;
  }
  return absl::OkStatus();
}

// nettest BasicIO, P2: a lot of bytes in odd pieces, one way.
TEST_P(FlowConformance, ALotOfBytesArriveExactly) {
  Background<absl::Status> send([this] {
    const absl::Status s = SendOddly(a(), target().bulk, 1);
    return s.ok() ? End(a()) : s;
  });
  EXPECT_THAT(ReceiveOddly(b(), target().bulk, 1), IsOk());
  EXPECT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
  EXPECT_THAT(send.Get(), IsOk());
}

// "One reader and one writer never wait for each other's I/O": both ways at
// once, from four threads.
TEST_P(FlowConformance, BothDirectionsRunAtOnce) {
  if (!Applies(target().duplex, "one-way")) return;
  Background<absl::Status> ab(
      [this] { return SendOddly(a(), target().bulk, 1); });
  Background<absl::Status> ba(
      [this] { return SendOddly(b(), target().bulk, 2); });
  Background<absl::Status> at_a(
      [this] { return ReceiveOddly(a(), target().bulk, 2); });
  EXPECT_THAT(ReceiveOddly(b(), target().bulk, 1), IsOk());
  EXPECT_THAT(at_a.Get(), IsOk());
  EXPECT_THAT(ab.Get(), IsOk());
  EXPECT_THAT(ba.Get(), IsOk());
}

// The same: a blocked Read does not hold up a Write, nor a Write that has no
// room a Read.
TEST_P(FlowConformance, ABlockedDirectionDoesNotHoldTheOther) {
  if (!Applies(target().duplex, "one-way")) return;
  Background<absl::StatusOr<std::string>> read(
      [this] { return ReadExactly(a(), 1); });
  ASSERT_TRUE(conformance::WaitUntilReading(a()));
  EXPECT_THAT(Exchange(a(), b(), "out"), IsOk());
  ASSERT_THAT(b().Write("i", kLong), IsOk());
  EXPECT_THAT(read.Get(), IsOkAndHolds("i"));
  const std::string much = Pattern(target().more_than_fits);
  Background<absl::Status> write([&] { return a().Write(much, kLong); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  EXPECT_THAT(Exchange(b(), a(), "in"), IsOk());
  EXPECT_TRUE(*ReadExactly(b(), much.size()) == much);
  EXPECT_THAT(write.Get(), IsOk());
}

// nettest PingPong.
TEST_P(FlowConformance, PingPong) {
  if (!Applies(target().duplex, "one-way")) return;
  constexpr int kRounds = 500;
  Background<absl::Status> pong([this] {
    for (int i = 0; i < kRounds; ++i) {
      const absl::StatusOr<std::string> got = ReadExactly(b(), 8);
      if (!got.ok()) return got.status();
      const absl::Status s = b().Write(*got, kLong);
      if (!s.ok()) return s;
    }
    return absl::OkStatus();
  });
  for (int i = 0; i < kRounds; ++i) {
    const std::string ping = Pattern(8, static_cast<uint64_t>(i));
    ASSERT_THAT(a().Write(ping, kLong), IsOk());
    ASSERT_THAT(ReadExactly(a(), 8), IsOkAndHolds(ping));
  }
  EXPECT_THAT(pong.Get(), IsOk());
}

// nettest RacyRead: many readers with short deadlines; no byte is lost between
// them.
TEST_P(FlowConformance, RacyReadsWithDeadlinesLoseNothing) {
  const size_t size = Bulk(200'000);
  Background<absl::Status> send([&] {
    const absl::Status s = SendOddly(a(), size, 3);
    return s.ok() ? End(a()) : s;
  });
  const auto reader = [this] {
    size_t total = 0;
    std::string memory(1000, '\0');
    for (;;) {
      const absl::StatusOr<OrEof<size_t>> got = b().ReadInto(
          absl::MakeSpan(&memory[0], memory.size()), absl::Milliseconds(1));
      if (got.ok() && got->is_eof()) return total;
      if (got.ok()) {
        total += got->data();
      } else if (flow::KindOf(got.status()) != ErrorKind::kDeadline) {
        ADD_FAILURE() << got.status();
        return total;
      }
    }
  };
  Background<size_t> one(reader), two(reader), three(reader), four(reader);
  EXPECT_EQ(one.Get() + two.Get() + three.Get() + four.Get(), size);
  EXPECT_THAT(send.Get(), IsOk());
}

// nettest RacyWrite: many writers with short deadlines; what they count is what
// arrives.
TEST_P(FlowConformance, RacyWritesWithDeadlinesCountExactly) {
  Background<size_t> received([this] {
    size_t total = 0;
    for (;;) {
      const absl::StatusOr<OrEof<flow::Buffer>> got = b().Read(kLong);
      EXPECT_THAT(got, IsOk());
      if (!got.ok() || got->is_eof()) return total;
      total += got->data().size();
    }
  });
  const auto writer = [this] {
    size_t total = 0;
    const std::string bytes = Pattern(Bulk(300'000) / 100);
    for (int i = 0; i < 100; ++i) {
      const absl::StatusOr<size_t> took =
          a().WriteSome(bytes, absl::Milliseconds(1));
      if (took.ok()) total += *took;
      EXPECT_THAT(took.status(),
                  ::testing::AnyOf(IsOk(), IsKind(ErrorKind::kDeadline)));
    }
    return total;
  };
  {
    Background<size_t> one(writer), two(writer), three(writer);
    const size_t sent = one.Get() + two.Get() + three.Get();
    EXPECT_EQ(a().GetStats().bytes_written, sent);
    ASSERT_THAT(End(a()), IsOk());
    EXPECT_EQ(received.Get(), sent);
  }
}

// nettest ConcurrentMethods: every method at once, from everywhere, ended by a
// Close; nothing crashes, hangs or gives an answer that it should not (P3).
TEST_P(FlowConformance, EveryMethodAtOnceEndedByClose) {
  for (int round = 0; round < 3; ++round) {
    auto pair = MakePair();
    Flow& c = pair.first;
    Flow& d = pair.second;
    const auto fits = [](const absl::Status& s) {
      return s.ok() || flow::IsClosed(s) || flow::IsSealed(s) ||
             flow::KindOf(s) == ErrorKind::kDeadline;
    };
    const auto loop = [&fits](Flow& flow, int salt) {
      std::string memory(100, '\0');
      for (int i = 0; i < 100; ++i) {
        // A time for each call: a Read that finds nothing uses all of its own.
        const absl::Duration soon = absl::Microseconds(i * salt % 300);
        absl::Status s = flow.Read(soon).status();
        EXPECT_TRUE(fits(s)) << s;
        s = flow.Write("some bytes", soon);
        EXPECT_TRUE(fits(s)) << s;
        s = flow.ReadInto(absl::MakeSpan(&memory[0], 100), soon).status();
        EXPECT_TRUE(fits(s)) << s;
        s = flow.WriteSome("bytes", soon).status();
        EXPECT_TRUE(fits(s)) << s;
        static_cast<void>(flow.GetStats().ToString());
        static_cast<void>(flow.ToString());
        static_cast<void>(flow.native_handle());
      }
      return true;
    };
    Background<bool> c1([&] { return loop(c, 7); });
    Background<bool> c2([&] { return loop(c, 11); });
    Background<bool> d1([&] { return loop(d, 5); });
    Background<bool> d2([&] { return loop(d, 3); });
    // Some traffic first, however the threads are scheduled.
    while (c.GetStats().bytes_written < 100 && !c1.done() && !c2.done()) {
      std::this_thread::yield();
    }
    EXPECT_THAT(c.Close(), IsOk());
    EXPECT_THAT(d.Shutdown(ShutdownMode::kRead), IsOk());
    EXPECT_THAT(d.Close(), IsOk());
    EXPECT_TRUE(c1.Get() && c2.Get() && d1.Get() && d2.Get());
  }
}

// A Close that races a Read and a Write: each call is either done, or cut, or
// refused, and the peer has a prefix (P2).
TEST_P(FlowConformance, CloseRacingTrafficLeavesAPrefix) {
  for (int round = 0; round < 10; ++round) {
    auto pair = MakePair();
    Flow& c = pair.first;
    Flow& d = pair.second;
    const std::string bytes =
        Pattern(Bulk(100'000), static_cast<uint64_t>(round));
    Background<absl::Status> write([&] {
      for (size_t at = 0; at < bytes.size(); at += 1000) {
        const absl::Status s =
            c.Write(absl::string_view(bytes).substr(at, 1000));
        if (!s.ok()) return s;
      }
      return absl::OkStatus();
    });
    std::string got =
        ReadExactly(d, bytes.size() / 20 * static_cast<size_t>(round))
            .value_or("");
    EXPECT_THAT(c.Close(), IsOk());
    const absl::Status wrote = write.Get();
    EXPECT_TRUE(wrote.ok() || flow::IsClosedLocally(wrote)) << wrote;
    ASSERT_THAT(ReadWhatIsLeft(d, got), IsOk());
    EXPECT_TRUE(absl::string_view(bytes).substr(0, got.size()) == got);
    EXPECT_TRUE(!wrote.ok() || got.size() == bytes.size());
  }
}

// GetStats: what went through, in calls and bytes, and what the flow waits for.
TEST_P(FlowConformance, StatsCountWhatWentThrough) {
  EXPECT_EQ(a().GetStats().bytes_written, 0u);
  EXPECT_EQ(b().GetStats().reading, flow::Activity::kIdle);
  Background<absl::StatusOr<std::string>> received(
      [this] { return ReadExactly(b(), 12); });
  ASSERT_THAT(a().Write("four", kLong), IsOk());
  ASSERT_THAT(a().Writev({"fi", "ve!"}, kLong), IsOk());
  size_t some = 0;
  while (some < 3) {
    const absl::StatusOr<size_t> took =
        a().WriteSome(absl::string_view("six").substr(some), kLong);
    ASSERT_THAT(took, IsOk());
    some += *took;
  }
  ASSERT_THAT(received.Get(), IsOkAndHolds("fourfive!six"));
  const flow::Stats wrote = a().GetStats();
  const flow::Stats read = b().GetStats();
  EXPECT_EQ(wrote.bytes_written, 12u);
  EXPECT_GE(wrote.writes, 3u);
  EXPECT_LE(wrote.writes, 5u);
  EXPECT_EQ(read.bytes_read, 12u);
  EXPECT_GE(read.reads, 1u);
  EXPECT_LE(read.reads, 12u);
  EXPECT_GT(read.age, absl::ZeroDuration());
  EXPECT_EQ(read.reading, flow::Activity::kIdle);
  EXPECT_EQ(wrote.writing, flow::Activity::kIdle);
  EXPECT_FALSE(read.ToString().empty());
}

// Errors name the operation and the ends, and hold no control characters
// (case 118).
void ExpectSpeaks(const Flow& flow, const absl::Status& s,
                  absl::string_view operation) {
  EXPECT_THAT(std::string(s.message()), HasSubstr(std::string(operation)));
  EXPECT_THAT(std::string(s.message()),
              HasSubstr(flow::EndpointPair(flow.local(), flow.peer())));
  for (const char c : s.message()) {
    EXPECT_FALSE(absl::ascii_iscntrl(static_cast<unsigned char>(c))) << s;
  }
  EXPECT_THAT(std::string(s.message()), ::testing::Not(HasSubstr("secret")));
  const auto detail = flow::DetailOf(s);
  ASSERT_TRUE(detail.has_value()) << s;
  EXPECT_EQ(detail->operation, operation) << s;
}

TEST_P(FlowConformance, ErrorsNameOperationAndEnds) {
  EXPECT_FALSE(a().ToString().empty());
  EXPECT_THAT(Exchange(a(), b(), "secret"), IsOk());
  const flow::Limits past = absl::InfinitePast();
  ExpectSpeaks(b(), b().Read(past).status(), "read");
  ExpectSpeaks(a(), a().Write("secret", past), "write");
  ExpectSpeaks(a(), a().WriteSome("secret", past).status(), "write");
  EXPECT_THAT(b().Close(), IsOk());
  ExpectSpeaks(b(), b().Read().status(), "read");
  ExpectSpeaks(b(), b().Write("secret"), "write");
  const absl::Status gone = conformance::WriteUntilItFails(a());
  ExpectSpeaks(a(), gone, "write");
}

}  // namespace
}  // namespace flow_testing
