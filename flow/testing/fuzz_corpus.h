// File: fuzz_corpus.h
//
// What the tests that replay a fuzz target's corpus have in common. Such a test
// is linked with the target itself, whose LLVMFuzzerTestOneInput it calls.

#ifndef FLOW_TESTING_FUZZ_CORPUS_H_
#define FLOW_TESTING_FUZZ_CORPUS_H_

#include <cstddef>
#include <string>
#include <vector>

namespace flow_testing {

// The contents of all files in `folder` (of the test's data), sorted by name;
// none if there is no such folder.
std::vector<std::string> CorpusOf(const std::string& folder);

// Feeds `input`, and every `step` bytes that input with a bit of the byte
// flipped, and cut off before it. 0, or what the target returned instead.
int FeedBent(const std::string& input, size_t step);

}  // namespace flow_testing

#endif  // FLOW_TESTING_FUZZ_CORPUS_H_
