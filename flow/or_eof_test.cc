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
  const OrEof<std::string> nothing = std::string();
  const OrEof<std::string> end = Eof{};
  EXPECT_NE(nothing, end);
  EXPECT_EQ(nothing, OrEof<std::string>(""));
  EXPECT_NE(nothing, OrEof<std::string>("x"));
  EXPECT_EQ(end, OrEof<std::string>::AtEof());
  EXPECT_TRUE(OrEof<size_t>(size_t{0}).has_data());
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
