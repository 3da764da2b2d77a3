// Replays the corpus of reader_fuzz.cc: each file, and each with a byte missing
// or changed.

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

// P1, P2: whatever comes in whatever pieces, a call takes what it gives.
TEST(ReaderFuzzCorpusTest, EveryInputReadsAsItsWholeSays) {
  const std::string folder = "flow/buffered/fuzz_corpus";
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
  EXPECT_GE(inputs.size(), 9u);
  for (const std::string& input : inputs) {
    EXPECT_EQ(Feed(input), 0);
    for (size_t at = 0; at < input.size(); ++at) {
      for (const int bit : {0x01, 0x08, 0x80}) {
        std::string bent = input;
        bent[at] = static_cast<char>(bent[at] ^ bit);
        EXPECT_EQ(Feed(bent), 0);
      }
      EXPECT_EQ(Feed(input.substr(0, at)), 0);
    }
  }
}

}  // namespace
