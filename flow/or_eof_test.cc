// OrEof: data or the end, which can't be taken for each other.

#include "flow/or_eof.h"

#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace flow {
namespace {

TEST(OrEofTest, IsDataOrTheEnd) {
  const OrEof<int> data = 0;
  EXPECT_TRUE(data.has_data());
  EXPECT_FALSE(data.is_eof());
  EXPECT_EQ(data.data(), 0);
  const OrEof<int> end = Eof{};
  EXPECT_TRUE(end.is_eof());
  EXPECT_FALSE(end.has_data());
  EXPECT_EQ(OrEof<int>::Data(3).data(), 3);
  EXPECT_TRUE(OrEof<int>::AtEof().is_eof());
}

// DESIGN: a length of 0 is not the end.
TEST(OrEofTest, DataOfNothingIsNotTheEnd) {
  EXPECT_NE(OrEof<size_t>(size_t{0}), OrEof<size_t>(Eof{}));
  EXPECT_EQ(OrEof<size_t>(Eof{}), OrEof<size_t>::AtEof());
  EXPECT_EQ(OrEof<std::string>(""), OrEof<std::string>(""));
  EXPECT_TRUE(Eof{} == Eof{});
  EXPECT_FALSE(Eof{} != Eof{});
}

TEST(OrEofTest, CarriesWhatCanOnlyBeMoved) {
  OrEof<std::unique_ptr<int>> p = std::make_unique<int>(4);
  EXPECT_EQ(**p, 4);
  EXPECT_EQ(*p.data(), 4);
  const std::unique_ptr<int> out = std::move(p).data();
  EXPECT_EQ(*out, 4);
}

TEST(OrEofTest, IsUsedLikeAnOptional) {
  OrEof<std::string> s = std::string("abc");
  EXPECT_EQ(s->size(), 3u);
  *s += "d";
  const OrEof<std::string>& same = s;
  EXPECT_EQ(*same, "abcd");
  EXPECT_EQ(same->size(), 4u);
  EXPECT_EQ(*std::move(s), "abcd");
}

TEST(OrEofTest, PrintsWhatItIs) {
  std::ostringstream os;
  os << OrEof<int>(3) << " " << OrEof<int>(Eof{});
  EXPECT_EQ(os.str(), "Data(3) Eof");
}

}  // namespace
}  // namespace flow
