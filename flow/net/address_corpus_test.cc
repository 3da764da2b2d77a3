// Replays the corpus of address_fuzz.cc: each file, and each with a byte
// missing, changed or doubled.

#include <dirent.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

int Feed(const std::string& input) {
  return LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()),
                                input.size());
}

// Bytes that mean something to the grammar, or to nobody.
constexpr char kPieces[] = {',', '%', ':', '[',  ']',
                            '=', '@', '-', '\0', '\xff'};

// P2 for addresses: nothing is cut or changed unseen. And the parser survives
// whatever is typed.
TEST(AddressCorpusTest, EveryTextIsRefusedOrReadsBackEqual) {
  const std::string folder = "flow/net/address_corpus";
  DIR* const open = opendir(folder.c_str());
  ASSERT_NE(open, nullptr) << folder;
  std::vector<std::string> inputs;
  while (const dirent* entry = readdir(open)) {
    if (entry->d_name[0] == '.') continue;
    std::ifstream file(folder + "/" + entry->d_name, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file),
                        std::istreambuf_iterator<char>());
  }
  closedir(open);
  EXPECT_GE(inputs.size(), 15u);
  for (const std::string& input : inputs) {
    EXPECT_EQ(Feed(input), 0);
    for (size_t at = 0; at < input.size(); ++at) {
      EXPECT_EQ(Feed(input.substr(0, at)), 0);
      std::string bent = input;
      bent.erase(at, 1);
      EXPECT_EQ(Feed(bent), 0);
      for (const char piece : kPieces) {
        bent = input;
        bent[at] = piece;
        EXPECT_EQ(Feed(bent), 0);
        bent.insert(at, 1, input[at]);
        EXPECT_EQ(Feed(bent), 0);
      }
    }
  }
}

}  // namespace
