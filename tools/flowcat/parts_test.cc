// What flowcat is made of and what can be told without running it: sizes,
// figures, the line of progress, the table of connections.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/flowcat/bench_report.h"
#include "tools/flowcat/byte_size.h"
#include "tools/flowcat/histogram.h"
#include "tools/flowcat/live.h"
#include "tools/flowcat/progress_line.h"
#include "tools/flowcat/report.h"

namespace flow_tools {
namespace {

using ::flow_testing::IsOk;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ByteSizeTest, UnitsArePowersOf1024) {
  const struct {
    const char* text;
    uint64_t bytes;
  } kCases[] = {{"0", 0},
                {"4096", 4096},
                {"64k", 65536},
                {"1.5M", 1572864},
                {"2GiB", uint64_t{2} << 30},
                {"1KB", 1024},
                {"3T", uint64_t{3} << 40}};
  for (const auto& c : kCases) {
    ByteSize size;
    std::string error;
    EXPECT_TRUE(AbslParseFlag(c.text, &size, &error)) << c.text << error;
    EXPECT_EQ(size.bytes, c.bytes) << c.text;
  }
}

TEST(ByteSizeTest, NonsenseIsRefused) {
  for (const char* const text : {"", "k", "-1", "1e3", "inf", "1.2.3", "0.5",
                                 "1kk", "99999999T", "1 k", "0x10"}) {
    ByteSize size;
    std::string error;
    EXPECT_FALSE(AbslParseFlag(text, &size, &error)) << text;
    EXPECT_FALSE(error.empty());
  }
  ByteRate rate;
  std::string error;
  EXPECT_FALSE(AbslParseFlag("0", &rate, &error));
  EXPECT_TRUE(AbslParseFlag("2k/s", &rate, &error));
  EXPECT_EQ(rate.per_second, 2048);
}

TEST(HistogramTest, PercentilesAreTrueToTwoPercent) {
  Histogram histogram;
  EXPECT_EQ(histogram.Percentile(50), absl::ZeroDuration());
  for (int i = 1; i <= 10000; ++i) histogram.Add(absl::Microseconds(i));
  EXPECT_EQ(histogram.count(), 10000u);
  EXPECT_EQ(histogram.max(), absl::Milliseconds(10));
  for (const double percent : {50.0, 90.0, 99.0, 99.9}) {
    const double us = absl::ToDoubleMicroseconds(histogram.Percentile(percent));
    EXPECT_GE(us, percent * 100) << percent;
    EXPECT_LE(us, percent * 100 * 1.035) << percent;
  }
  EXPECT_EQ(histogram.Percentile(100), histogram.max());
}

TEST(HistogramTest, BarsHaveAllAndTouch) {
  Histogram histogram;
  for (const int us : {3, 50, 51, 52, 7000}) {
    histogram.Add(absl::Microseconds(us));
  }
  for (const size_t per_octave : {1, 2, 8, 32}) {
    uint64_t count = 0;
    absl::Duration end;
    for (const Histogram::Bar& bar : histogram.Bars(per_octave)) {
      if (count > 0) {
        EXPECT_EQ(bar.from, end);
      }
      EXPECT_LT(bar.from, bar.to);
      end = bar.to;
      count += bar.count;
    }
    EXPECT_EQ(count, 5u) << per_octave;
    EXPECT_GT(end, absl::Milliseconds(7));
  }
}

TEST(BenchReportTest, NamesAreEscaped) {
  BenchResult result;
  result.name = "unix:<&\"";
  result.latency.Add(absl::Microseconds(20));
  EXPECT_THAT(BenchAsSvg(result), HasSubstr("unix:&lt;&amp;"));
  EXPECT_THAT(BenchAsJson(result), StartsWith(R"({"address":"unix:<&\"")"));
  EXPECT_THAT(BenchAsText(result), HasSubstr("p99.9 20us"));
}

TEST(ReportTest, JsonHasNoRawByte) {
  EXPECT_EQ(JsonString("a\"b\\c\n\x1b\xff"), R"("a\"b\\c\u000a\u001b\u00ff")");
}

TEST(ProgressLineTest, TellsTheRateOfTheLastSecondsAndWhatIsLeft) {
  ProgressLine line({10 << 20}, /*many=*/false);
  LiveConnections::Totals totals;
  totals.forward = 1 << 20;
  EXPECT_EQ(line.Next(absl::Seconds(1), totals, 200),
            "1.0 MiB > 1.0 MiB/s | 0 B < 0 B/s | 1s | 10%, 9s left");
  totals.forward = 4 << 20;
  totals.back = 1 << 20;
  EXPECT_EQ(line.Next(absl::Seconds(2), totals, 200),
            "4.0 MiB > 2.0 MiB/s | 1.0 MiB < 512.0 KiB/s | 2s | 40%, 3s left");
  // A stall is one, once it has lasted as long as the rate looks back.
  EXPECT_EQ(line.Next(absl::Seconds(7), totals, 200),
            "4.0 MiB > 0 B/s | 1.0 MiB < 0 B/s | 7s | 40%");
  totals.forward = 10 << 20;
  EXPECT_THAT(line.Next(absl::Seconds(62), totals, 200),
              HasSubstr("| 1m2s | 100%"));
}

TEST(ProgressLineTest, CountsConnectionsAndFitsTheTerminal) {
  ProgressLine line({}, /*many=*/true);
  LiveConnections::Totals totals;
  totals.begun = 10;
  totals.ended = 7;
  totals.failed = 2;
  EXPECT_THAT(line.Next(absl::ZeroDuration(), totals, 200),
              StartsWith("3 live, 7 ended, 2 failed | 0 B > 0 B/s"));
  EXPECT_EQ(line.Next(absl::Seconds(1), totals, 7), "3 live,");
}

TEST(LiveConnectionsTest, SumsOutliveConnectionsAndFailuresCount) {
  LiveConnections all;
  auto [from, to] = flow_testing::MemoryPair();
  {
    LiveConnection live(all, 7);
    EXPECT_THAT(all.Table(), HasSubstr("#7 is being opened"));
    live.Attach(from, to);
    ASSERT_THAT(to.Write("12345"), IsOk());
    EXPECT_EQ(all.totals().forward, 5u);
    EXPECT_THAT(all.Table(), HasSubstr("1 of 1 connections live"));
    live.Detach();
    live.Succeeded();
  }
  { LiveConnection failed(all, 8); }
  const LiveConnections::Totals totals = all.totals();
  EXPECT_EQ(totals.begun, 2u);
  EXPECT_EQ(totals.ended, 2u);
  EXPECT_EQ(totals.failed, 1u);
  EXPECT_EQ(totals.forward, 5u);
}

}  // namespace
}  // namespace flow_tools
