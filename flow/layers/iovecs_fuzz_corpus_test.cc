// Replays the corpus of iovecs_fuzz.cc: each file, and each with a byte missing
// or changed.

#include <string>

#include "flow/testing/fuzz_corpus.h"
#include "gtest/gtest.h"

namespace {

// P2: whatever is cut wherever, the bytes are the same.
TEST(IovecsFuzzCorpusTest, EveryInputArrivesExactly) {
  const auto inputs = flow_testing::CorpusOf("flow/layers/iovecs_corpus");
  EXPECT_GE(inputs.size(), 8u);
  for (const std::string& input : inputs) {
    EXPECT_EQ(flow_testing::FeedBent(input, /*step=*/1), 0);
  }
}

}  // namespace
