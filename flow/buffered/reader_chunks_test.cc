// Whatever pieces a stream comes in, and wherever a limit cuts a call, the
// Reader's answers are those of the whole text.

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/buffered/buffered_test_support.h"
#include "flow/buffered/encoding.h"
#include "flow/buffered/line.h"
#include "flow/buffered/reader.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::HasBytesDone;
using ::flow_testing::IsData;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::SeedOr;
using ::flow_testing::SimSyscalls;
using ::flow_testing::SourceOf;
using ::flow_testing::SplitAt;
using ::flow_testing::SplitRandomly;
using ::flow_testing::StatusIs;
using ::testing::AllOf;

// What all of a text gives by ReadLine(max), in words; too long a line is
// dropped by SkipLine. Written without the Reader's means.
std::vector<std::string> ReferenceLines(absl::string_view text, size_t max) {
  std::vector<std::string> said;
  while (!text.empty()) {
    const size_t lf = text.find('\n');
    const bool ended = lf != absl::string_view::npos;
    const absl::string_view whole = ended ? text.substr(0, lf + 1) : text;
    absl::string_view line = ended ? whole.substr(0, lf) : whole;
    if (ended && !line.empty() && line.back() == '\r') line.remove_suffix(1);
    said.push_back(line.size() > max
                       ? absl::StrCat("too long: ", whole.size())
                       : absl::StrCat(ended ? "line " : "rest ", line));
    text.remove_prefix(whole.size());
  }
  return said;
}

// `said` of one call; false at the end of the stream.
bool SayLine(Reader& in, size_t max, const Limits& limits,
             std::vector<std::string>& said) {
  const absl::StatusOr<OrEof<Line>> line = in.ReadLine(max, limits);
  if (line.ok()) {
    if (line->is_eof()) return false;
    said.push_back(absl::StrCat(line->data().terminated ? "line " : "rest ",
                                line->data().text));
  } else if (absl::IsResourceExhausted(line.status())) {
    const auto skipped = in.SkipLine(limits);
    EXPECT_THAT(skipped, IsOk());
    said.push_back(absl::StrCat("too long: ", skipped->data()));
  } else {
    said.push_back(line.status().ToString());
    return false;
  }
  return true;
}

std::vector<std::string> Lines(Flow flow, size_t max) {
  Reader in(std::move(flow));
  std::vector<std::string> said;
  while (SayLine(in, max, {}, said)) {
  }
  return said;
}

// All splits of all short texts over the characters that matter.
TEST(ReaderChunksTest, AllSplitsOfAllShortTextsGiveTheSameLines) {
  constexpr absl::string_view kLetters = "x\r\n";
  constexpr int kLength = 5;
  int texts = 1;
  for (int i = 0; i < kLength; ++i) texts *= 3;
  for (int number = 0; number < texts; ++number) {
    std::string text;
    for (int i = 0, rest = number; i < kLength; ++i, rest /= 3) {
      text += kLetters[rest % 3];
    }
    for (const size_t max : {0, 1, 2, 5}) {
      const std::vector<std::string> expected = ReferenceLines(text, max);
      for (uint64_t cuts = 0; cuts < 1u << (kLength - 1); ++cuts) {
        ASSERT_EQ(Lines(SourceOf(SplitAt(text, cuts)), max), expected)
            << absl::CHexEscape(text) << " cut " << cuts << ", max " << max;
      }
    }
  }
}

TEST(ReaderChunksTest, LongTextsGiveTheSameLinesInAnyPieces) {
  const uint64_t seed = SeedOr(11);
  SCOPED_TRACE(absl::StrCat("FLOW_TEST_SEED=", seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 30; ++round) {
    std::string text;
    while (text.size() < 50000) {
      text.append(random() % (round % 2 == 0 ? 30 : 9000), 'x');
      text.append(random() % 3 == 0 ? "\r\n" : random() % 2 == 0 ? "\n" : "\r");
    }
    const size_t max = round % 3 == 0 ? 1000 : kMaxLine;
    const size_t longest = size_t{1} << (random() % 15);
    ASSERT_EQ(Lines(SourceOf(SplitRandomly(text, longest, random)), max),
              ReferenceLines(text, max));
  }
}

// A call of the Reader's, and the bytes that make it OK.
struct Part {
  std::string name;
  std::string bytes;
};

const std::vector<Part>& Script() {
  static const auto* const script = new std::vector<Part>{
      {"frame",
       "\x03"
       "abc"},
      {"u32", "\x01\x02\x03\x04"},
      {"varint", "\x96\x01"},
      {"line", "hello\r\n"},
      {"until", "up to--"},
      {"exactly", "12345"},
      {"frame", std::string(1, '\0')},
      {"peek", "peeked"},
      {"straight", std::string(40, 's')},
      {"skip", "dropped!"},
  };
  return *script;
}

std::string WholeScript() {
  std::string stream;
  for (const Part& part : Script()) stream += part.bytes;
  return stream;
}

using Answer = absl::StatusOr<std::string>;

template <typename T, typename ToText>
Answer Told(const absl::StatusOr<OrEof<T>>& got, ToText to_text) {
  if (!got.ok()) return got.status();
  return got->is_eof() ? "Eof" : to_text(got->data());
}

Answer CallNumber(Reader& in, const std::string& name, const Limits& limits) {
  if (name == "u32") {
    return Told(in.ReadInt<uint32_t>(Endian::kBig, limits), [](uint32_t n) {
      std::string raw(4, '\0');
      internal::StoreInt(n, Endian::kBig, &raw[0]);
      return raw;
    });
  }
  return Told(in.ReadVarint(limits), [](uint64_t n) {
    char raw[internal::kMaxVarint];
    return std::string(raw, internal::StoreVarint(n, raw));
  });
}

// What the call gives, as the bytes stood in the stream.
Answer Call(Reader& in, const std::string& name, const Limits& limits) {
  const auto bytes = [](const Buffer& b) { return b.ToString(); };
  if (name == "frame") {
    return Told(in.ReadFrame({}, limits), [](const Buffer& b) {
      return std::string(1, static_cast<char>(b.size())) + b.ToString();
    });
  }
  if (name == "u32" || name == "varint") return CallNumber(in, name, limits);
  if (name == "line") {
    return Told(in.ReadLine(limits),
                [](const Line& l) { return l.text + "\r\n"; });
  }
  if (name == "until") {
    return Told(in.ReadUntil("--", 9, limits),
                [](const Line& l) { return l.text + "--"; });
  }
  if (name == "exactly") return Told(in.ReadExactly(5, limits), bytes);
  if (name == "skip") {
    return Told(in.Skip(8, limits), [](uint64_t) { return "dropped!"; });
  }
  if (name == "peek") {
    const auto seen = in.Peek(6, limits);
    if (!seen.ok()) return seen.status();
    return Told(in.ReadExactly(6, absl::ZeroDuration()), bytes);
  }
  std::string space(40, '\0');
  return Told(in.ReadExactly(absl::MakeSpan(space), limits),
              [&](size_t) { return space; });
}

// It changes which way bytes take, never which they are.
ReaderOptions ReadAhead(size_t bytes) {
  ReaderOptions options;
  options.read_ahead = bytes;
  return options;
}

TEST(ReaderChunksTest, EveryCallIsTheSameInAnyPieces) {
  const uint64_t seed = SeedOr(12);
  SCOPED_TRACE(absl::StrCat("FLOW_TEST_SEED=", seed));
  std::mt19937_64 random(seed);
  const std::string stream = WholeScript();
  for (int round = 0; round < 1000; ++round) {
    const size_t longest = 1 + random() % 20;
    Reader in(SourceOf(SplitRandomly(stream, longest, random)),
              ReadAhead(1 + random() % 60));
    for (const Part& part : Script()) {
      ASSERT_THAT(Call(in, part.name, {}), IsOkAndHolds(part.bytes))
          << part.name << " in pieces of up to " << longest;
    }
    ASSERT_THAT(Call(in, "exactly", {}), IsOkAndHolds("Eof"));
  }
}

// P2, P3: a limit at every byte of every call takes nothing, and the same call
// goes on.
TEST(ReaderChunksTest, LimitAtAnyByteLosesNothing) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  flow_testing::MemoryPairOptions on_sim;
  on_sim.sys = &sim;
  for (const Part& part : Script()) {
    for (size_t i = 0; i < part.bytes.size() * 2; ++i) {
      const size_t cut = i / 2;
      SCOPED_TRACE(absl::StrCat(part.name, " cut at ", cut));
      auto [ours, peer] = flow_testing::MemoryPair(65536, on_sim);
      Reader in(std::move(ours), ReadAhead(i % 2 == 0 ? 1 : 65536));
      if (cut > 0) {
        ASSERT_THAT(peer.Write(part.bytes.substr(0, cut)), IsOk());
      }
      ASSERT_THAT(Call(in, part.name, sim.In(absl::Seconds(1))),
                  AllOf(StatusIs(absl::StatusCode::kDeadlineExceeded),
                        HasBytesDone(cut)));
      ASSERT_THAT(peer.Write(part.bytes.substr(cut) + "next"), IsOk());
      if (part.name == "skip") {  // which drops as it goes
        ASSERT_THAT(in.Skip(8 - cut), IsOk());
      } else {
        ASSERT_EQ(in.Buffered(), part.bytes.substr(0, cut));
        ASSERT_THAT(Call(in, part.name, sim.In(absl::Seconds(1))),
                    IsOkAndHolds(part.bytes));
      }
      ASSERT_THAT(in.ReadExactly(4), IsData("next"));
    }
  }
}

// P1: the end at every byte: kTruncated with the count, or, for what ends at a
// mark, the rest.
TEST(ReaderChunksTest, EndAtAnyByteIsNoData) {
  for (const Part& part : Script()) {
    const bool by_mark = part.name == "line" || part.name == "until";
    for (size_t cut = 1; cut < part.bytes.size() && !by_mark; ++cut) {
      SCOPED_TRACE(absl::StrCat(part.name, " ends at ", cut));
      Reader in(SourceOf({part.bytes.substr(0, cut)}), ReadAhead(1 + cut % 7));
      if (part.name == "peek") {
        ASSERT_THAT(in.Peek(6), IsData(part.bytes.substr(0, cut)));
        continue;
      }
      ASSERT_THAT(Call(in, part.name, {}),
                  AllOf(IsKind(ErrorKind::kTruncated), HasBytesDone(cut)));
      if (part.name == "skip") continue;
      ASSERT_THAT(in.ReadExactly(cut), IsData(part.bytes.substr(0, cut)));
      ASSERT_THAT(Call(in, part.name, {}), IsOkAndHolds("Eof"));
    }
  }
}

}  // namespace
}  // namespace flow
