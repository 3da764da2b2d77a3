// Buffer: owned bytes that go into a Cord without a copy.

#include "flow/buffer.h"

#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

TEST(BufferTest, ADefaultBufferIsEmpty) {
  const Buffer b;
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(b.size(), 0u);
  EXPECT_EQ(b.capacity(), 0u);
  EXPECT_EQ(b.view(), "");
  EXPECT_EQ(b.ToString(), "");
}

TEST(BufferTest, ACopyIsOfExactlyItsSize) {
  const std::string bytes("a\0b", 3);
  const Buffer b = Buffer::CopyOf(bytes);
  EXPECT_EQ(b.view(), bytes);
  EXPECT_EQ(b.ToString(), bytes);
  EXPECT_EQ(b.capacity(), 3u);
  EXPECT_NE(b.data(), bytes.data());
  EXPECT_TRUE(Buffer::CopyOf("").empty());
}

TEST(BufferTest, CapacityIsRoomToFill) {
  Buffer b = Buffer::WithCapacity(8);
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(b.capacity(), 8u);
  std::memcpy(b.mutable_data(), "12345678", 8);
  b.SetSize(5);
  EXPECT_EQ(b.view(), "12345");
  b.SetSize(9);
  EXPECT_EQ(b.size(), 8u) << "cut to what there is";
  EXPECT_EQ(Buffer::WithCapacity(0).data(), nullptr);
}

TEST(BufferTest, AMovedFromBufferIsEmpty) {
  Buffer a = Buffer::CopyOf("abc");
  const char* const address = a.data();
  Buffer b = std::move(a);
  EXPECT_EQ(b.data(), address);
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): what it is then
  EXPECT_EQ(a.view(), "");
  EXPECT_EQ(a.capacity(), 0u);
  a = std::move(b);
  EXPECT_EQ(a.view(), "abc");
  EXPECT_TRUE(b.empty());  // NOLINT(bugprone-use-after-move)
  Buffer& same = a;
  a = std::move(same);
  EXPECT_EQ(a.view(), "abc");
}

// "into an absl::Cord without a copy".
TEST(BufferTest, ACordTakesTheMemoryItself) {
  const std::string bytes(100'000, 'x');
  Buffer b = Buffer::CopyOf(bytes);
  const char* const address = b.data();
  auto cord = std::make_unique<absl::Cord>(std::move(b).ToCord());
  EXPECT_EQ(cord->size(), bytes.size());
  EXPECT_EQ(cord->TryFlat()->data(), address);
  EXPECT_TRUE(b.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(b.capacity(), 0u);
  const absl::Cord copy = *cord;
  cord.reset();
  EXPECT_EQ(copy, bytes) << "lives as long as the last Cord";
}

TEST(BufferTest, OnlyTheUsedPartGoesIntoACord) {
  Buffer b = Buffer::WithCapacity(1000);
  std::memcpy(b.mutable_data(), "abc", 3);
  b.SetSize(3);
  EXPECT_EQ(std::move(b).ToCord(), "abc");
  EXPECT_TRUE(Buffer().ToCord().empty());
  EXPECT_TRUE(Buffer::WithCapacity(5).ToCord().empty());
}

TEST(BufferTest, EqualMeansEqualBytes) {
  EXPECT_EQ(Buffer::CopyOf("a"), Buffer::CopyOf("a"));
  EXPECT_NE(Buffer::CopyOf("a"), Buffer::CopyOf("b"));
  EXPECT_EQ(Buffer(), Buffer::WithCapacity(7));
}

// Bytes of a stream may be secret: they are never printed.
TEST(BufferTest, PrintsItsSizeAndNothingElse) {
  std::ostringstream os;
  os << Buffer::CopyOf("secret");
  EXPECT_EQ(os.str(), "Buffer of 6 bytes");
}

}  // namespace
}  // namespace flow
