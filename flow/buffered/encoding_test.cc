// Numbers, lengths and marks, against references that are plainly right.

#include "flow/buffered/encoding.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "flow/buffered/line.h"
#include "gtest/gtest.h"

namespace flow {
namespace internal {
namespace {

// Every varint is the only one of its number, and no longer than need be.
TEST(EncodingTest, VarintsAreTheirNumbersOnlyForm) {
  std::vector<uint64_t> values = {0, 300, std::numeric_limits<uint64_t>::max()};
  for (int bit = 0; bit < 64; ++bit) {
    values.push_back(uint64_t{1} << bit);
    values.push_back((uint64_t{1} << bit) - 1);
  }
  for (const uint64_t value : values) {
    char raw[kMaxVarint];
    const size_t size = StoreVarint(value, raw);
    size_t groups = 1;
    for (uint64_t rest = value >> 7; rest > 0; rest >>= 7) ++groups;
    EXPECT_EQ(size, groups);
    for (size_t cut = 0; cut < size; ++cut) {
      const Parsed part = ParseVarint({raw, cut});
      EXPECT_EQ(part.state, Parsed::State::kShort);
      EXPECT_EQ(part.size, cut + 1);
    }
    const Parsed parsed = ParseVarint({raw, size});
    EXPECT_EQ(parsed.state, Parsed::State::kDone);
    EXPECT_EQ(parsed.value, value);
    EXPECT_EQ(parsed.size, size);
  }
}

// All of two bytes: what is accepted is written back as it was.
TEST(EncodingTest, AcceptedVarintsAreThoseThatAreWritten) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const char raw[2] = {static_cast<char>(first), static_cast<char>(second)};
      const Parsed parsed = ParseVarint({raw, 2});
      EXPECT_EQ(parsed.state == Parsed::State::kBad,
                first >= 0x80 && second == 0);
      if (parsed.state != Parsed::State::kDone) continue;
      char again[kMaxVarint];
      ASSERT_EQ(StoreVarint(parsed.value, again), parsed.size);
      EXPECT_EQ(absl::string_view(again, parsed.size),
                absl::string_view(raw, parsed.size));
    }
  }
}

TEST(EncodingTest, LengthsHaveTheirWidthAndOrder) {
  struct Row {
    LengthPrefix prefix;
    uint64_t most;
    std::string one;  // the length 1
  };
  const std::vector<Row> rows = {
      {LengthPrefix::kU8, 0xff, "01"},
      {LengthPrefix::kU16Big, 0xffff, "0001"},
      {LengthPrefix::kU16Little, 0xffff, "0100"},
      {LengthPrefix::kU32Big, 0xffffffff, "00000001"},
      {LengthPrefix::kU32Little, 0xffffffff, "01000000"},
      {LengthPrefix::kU64Big, UINT64_MAX, "0000000000000001"},
      {LengthPrefix::kU64Little, UINT64_MAX, "0100000000000000"},
      {LengthPrefix::kVarint, UINT64_MAX, "01"},
  };
  for (const Row& row : rows) {
    char raw[kMaxVarint];
    EXPECT_EQ(absl::BytesToHexString({raw, StoreLength(row.prefix, 1, raw)}),
              row.one);
    const size_t size = StoreLength(row.prefix, row.most, raw);
    EXPECT_EQ(ParseLength(row.prefix, {raw, size}).value, row.most);
    EXPECT_EQ(ParseLength(row.prefix, {raw, size}).size, size);
    EXPECT_EQ(ParseLength(row.prefix, {raw, size - 1}).state,
              Parsed::State::kShort);
    if (row.most == UINT64_MAX) continue;
    EXPECT_EQ(StoreLength(row.prefix, row.most + 1, raw), 0u);
  }
}

// Whether some continuation of `bytes` would end a text within the limit, by
// trying them all.
bool ReferenceMayFit(const LineEnd& end, const std::string& bytes,
                     size_t max_length, int more) {
  const LineEnd::Place place = end.Find(bytes, 0);
  if (place.found) return place.text <= max_length;
  if (more == 0) return false;
  for (const char next : {'a', 'b', '\r', '\n'}) {
    if (ReferenceMayFit(end, bytes + next, max_length, more - 1)) return true;
  }
  return false;
}

TEST(EncodingTest, LineIsRefusedExactlyWhenItCannotFit) {
  const std::vector<LineEnd> ends = {
      {"\n", true}, {"\n", false}, {"\r\n", false}, {"aab", false}};
  std::vector<std::string> texts = {""};
  for (size_t i = 0; i < texts.size() && texts[i].size() < 4; ++i) {
    for (const char next : {'a', 'b', '\r', '\n'}) {
      texts.push_back(texts[i] + next);
    }
  }
  for (const LineEnd& end : ends) {
    for (const std::string& text : texts) {
      if (end.Find(text, 0).found) continue;
      for (const size_t max_length : {0, 1, 2, 3}) {
        EXPECT_EQ(end.MayFit(text, max_length),
                  ReferenceMayFit(end, text, max_length, 3))
            << absl::CHexEscape(end.mark) << " " << absl::CHexEscape(text)
            << " " << max_length;
      }
    }
  }
}

}  // namespace
}  // namespace internal
}  // namespace flow
