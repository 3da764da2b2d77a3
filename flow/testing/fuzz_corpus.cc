#include "flow/testing/fuzz_corpus.h"

#include <dirent.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace flow_testing {
namespace {

int Feed(const std::string& input) {
  return LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()),
                                input.size());
}

}  // namespace

std::vector<std::string> CorpusOf(const std::string& folder) {
  std::vector<std::string> names;
  DIR* const open = opendir(folder.c_str());
  if (open == nullptr) return {};
  while (const dirent* entry = readdir(open)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(open);
  std::sort(names.begin(), names.end());
  std::vector<std::string> inputs;
  for (const std::string& name : names) {
    std::ifstream file(folder + "/" + name, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file),
                        std::istreambuf_iterator<char>());
  }
  return inputs;
}

int FeedBent(const std::string& input, size_t step) {
  if (const int answer = Feed(input); answer != 0) return answer;
  for (size_t at = 0; at < input.size(); at += step) {
    for (const int bit : {0x01, 0x08, 0x80}) {
      std::string bent = input;
      bent[at] = static_cast<char>(bent[at] ^ bit);
      if (const int answer = Feed(bent); answer != 0) return answer;
    }
    if (const int answer = Feed(input.substr(0, at)); answer != 0) {
      return answer;
    }
  }
  return 0;
}

}  // namespace flow_testing
