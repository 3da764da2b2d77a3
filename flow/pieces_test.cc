// Pieces: what is still to be sent, also from the middle of a piece. P2.

#include "flow/pieces.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace flow {
namespace internal {
namespace {

// Sends all in windows of `width` pieces, `step` bytes at a time; returns what
// arrived.
std::string SendAll(Pieces& pieces, size_t width, size_t step) {
  std::string arrived;
  std::vector<iovec> window(width);
  for (;;) {
    const size_t count = pieces.Window(absl::MakeSpan(window));
    if (count == 0) return arrived;
    size_t taken = 0;
    for (size_t i = 0; i < count; ++i) {
      EXPECT_GT(window[i].iov_len, 0u) << "no iovec is empty";
      const size_t n = std::min(window[i].iov_len, step - taken);
      arrived.append(static_cast<const char*>(window[i].iov_base), n);
      taken += n;
    }
    pieces.Consume(taken);
  }
}

TEST(PiecesTest, AnySplitOfAnyStepArrivesExactly) {
  const std::vector<absl::string_view> views = {"",   "a",  "",       "bcd", "",
                                                "ef", "gh", "ijklmn", ""};
  for (const size_t width : {1, 2, 3, 100}) {
    for (size_t step = 1; step < 20; ++step) {
      ViewPieces pieces(views);
      EXPECT_EQ(SendAll(pieces, width, step), "abcdefghijklmn");
    }
  }
}

TEST(PiecesTest, NothingIsNothing) {
  iovec one;
  ViewPieces none({});
  EXPECT_EQ(none.Window(absl::MakeSpan(&one, 1)), 0u);
  const std::vector<absl::string_view> empties(3, "");
  ViewPieces empty(empties);
  EXPECT_EQ(empty.Window(absl::MakeSpan(&one, 1)), 0u);
  const absl::Cord cord;
  CordPieces nothing(cord);
  EXPECT_EQ(nothing.Window(absl::MakeSpan(&one, 1)), 0u);
}

TEST(PiecesTest, GoesOnInsideAPiece) {
  const absl::string_view views[] = {"0123", "45"};
  ViewPieces pieces(views);
  iovec window[4];
  ASSERT_EQ(pieces.Window(absl::MakeSpan(window)), 2u);
  EXPECT_EQ(window[0].iov_base, views[0].data()) << "no copy";
  pieces.Consume(3);
  ASSERT_EQ(pieces.Window(absl::MakeSpan(window)), 2u);
  EXPECT_EQ(window[0].iov_base, views[0].data() + 3);
  EXPECT_EQ(window[0].iov_len, 1u);
  pieces.Consume(2);
  ASSERT_EQ(pieces.Window(absl::MakeSpan(window)), 1u);
  EXPECT_EQ(window[0].iov_base, views[1].data() + 1);
}

TEST(PiecesTest, LookingChangesNothing) {
  const absl::string_view views[] = {"ab", "cd"};
  ViewPieces pieces(views);
  iovec window[1];
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(pieces.Window(absl::MakeSpan(window)), 1u);
    EXPECT_EQ(window[0].iov_len, 2u);
  }
}

TEST(PiecesTest, TenThousandPiecesOfOneByte) {
  const std::string bytes(10'000, 'x');
  std::vector<absl::string_view> views;
  for (size_t i = 0; i < bytes.size(); ++i) views.emplace_back(&bytes[i], 1);
  for (const size_t step : {1, 700, 1023, 1024, 5000}) {
    ViewPieces pieces(views);
    EXPECT_EQ(SendAll(pieces, kMaxIovecs, step), bytes);
  }
}

TEST(PiecesTest, ACordOfManyChunksArrivesExactly) {
  std::vector<std::string> chunks;  // outlive the cord
  for (int i = 0; i < 50; ++i) {
    chunks.emplace_back(1000 + 7 * i, static_cast<char>('a' + i % 26));
  }
  absl::Cord cord;
  std::string all;
  for (const std::string& chunk : chunks) {
    cord.Append(absl::MakeCordFromExternal(chunk, [] {}));
    cord.Append("--");
    all += chunk + "--";
  }
  for (const size_t width : {1, 7, 1024}) {
    for (const size_t step : {1000, 999, 10'001, 1'000'000}) {
      CordPieces pieces(cord);
      EXPECT_TRUE(SendAll(pieces, width, step) == all);
    }
  }
}

TEST(PiecesTest, ACordGoesOnInsideAChunk) {
  absl::Cord cord("0123456789");
  CordPieces pieces(cord);
  EXPECT_EQ(SendAll(pieces, 1, 3), "0123456789");
  CordPieces again(cord);
  iovec one;
  ASSERT_EQ(again.Window(absl::MakeSpan(&one, 1)), 1u);
  again.Consume(4);
  ASSERT_EQ(again.Window(absl::MakeSpan(&one, 1)), 1u);
  EXPECT_EQ(absl::string_view(static_cast<char*>(one.iov_base), one.iov_len),
            "456789");
}

}  // namespace
}  // namespace internal
}  // namespace flow
