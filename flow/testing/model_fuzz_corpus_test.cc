// Replays the corpus of model_fuzz.cc: each file, and each with a byte missing
// or changed.

#include <string>

#include "flow/testing/fuzz_corpus.h"
#include "gtest/gtest.h"

namespace {

// P1, P2, P3: whatever is called in whatever order, the table answers.
TEST(ModelFuzzCorpusTest, EveryInputAnswersAsTheReferenceDoes) {
  const auto inputs = flow_testing::CorpusOf("flow/testing/model_corpus");
  EXPECT_GE(inputs.size(), 10u);
  for (const std::string& input : inputs) {
    EXPECT_EQ(flow_testing::FeedBent(input, /*step=*/1), 0);
  }
}

}  // namespace
