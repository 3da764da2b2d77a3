#include "tools/flowcat/sha256.h"

#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace flow_tools {
namespace {

std::string HashOf(absl::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.HexDigest();
}

// The examples that NIST publishes beside FIPS 180-4.
TEST(Sha256Test, AgreesWithNistsExamples) {
  EXPECT_EQ(HashOf(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HashOf("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(HashOf("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                   "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

TEST(Sha256Test, AgreesWithNistsMillionBytesInPiecesOfAnySize) {
  const std::string all(1000000, 'a');
  for (const size_t piece : {1, 63, 64, 65, 1000, 1000000}) {
    Sha256 hash;
    for (size_t at = 0; at < all.size(); at += piece) {
      hash.Update(absl::string_view(all).substr(at, piece));
    }
    EXPECT_EQ(
        hash.HexDigest(),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        << "in pieces of " << piece;
  }
}

// Every place of the padding in its block; the expected value is Python's
// hashlib's.
TEST(Sha256Test, AgreesWithAnotherImplementationForEveryLengthUpTo200) {
  Sha256 all;
  for (size_t n = 0; n < 200; ++n) {
    std::string bytes;
    for (size_t i = 0; i < n; ++i) {
      bytes.push_back(static_cast<char>((i * 7 + n) & 255));
    }
    all.Update(HashOf(bytes));
  }
  EXPECT_EQ(all.HexDigest(),
            "b8f5d54cfd1cbbcae2003d1365d9fab7e5bc61813fa3486ee6a6a6bf38db4745");
}

TEST(Sha256Test, DigestOfAPrefixDoesNotDisturbTheRest) {
  Sha256 hash;
  hash.Update("ab");
  EXPECT_EQ(hash.HexDigest(), HashOf("ab"));
  hash.Update("c");
  EXPECT_EQ(hash.HexDigest(), HashOf("abc"));
}

}  // namespace
}  // namespace flow_tools
