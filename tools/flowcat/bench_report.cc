#include "tools/flowcat/bench_report.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "tools/flowcat/format.h"
#include "tools/flowcat/report.h"

namespace flow_tools {
namespace {

constexpr double kPercentiles[] = {50, 90, 99, 99.9};

uint64_t Highest(const std::vector<Histogram::Bar>& bars) {
  uint64_t highest = 1;
  for (const Histogram::Bar& bar : bars) highest = std::max(highest, bar.count);
  return highest;
}

std::string ForXml(const std::string& text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

}  // namespace

std::string BenchAsText(const BenchResult& result) {
  std::string out = absl::StrFormat(
      "flowcat bench %s\n"
      "  throughput: %s there and back in %s, %s each way\n"
      "  latency: %d B there and back, %d times\n   ",
      result.name, FormatBytes(result.bytes), FormatElapsed(result.duration),
      FormatRate(result.bytes, result.duration), result.message,
      result.latency.count());
  for (const double percent : kPercentiles) {
    absl::StrAppendFormat(&out, " p%g %s,", percent,
                          FormatElapsed(result.latency.Percentile(percent)));
  }
  absl::StrAppendFormat(&out, " max %s, mean %s\n",
                        FormatElapsed(result.latency.max()),
                        FormatElapsed(result.latency.mean()));
  constexpr uint64_t kColumns = 40;
  const std::vector<Histogram::Bar> bars = result.latency.Bars(2);
  const uint64_t highest = Highest(bars);
  for (const Histogram::Bar& bar : bars) {
    // One that is not empty is seen.
    const uint64_t length = (bar.count * kColumns + highest - 1) / highest;
    absl::StrAppendFormat(&out, "    from %8s  %-40s %d\n",
                          FormatElapsed(bar.from), std::string(length, '#'),
                          bar.count);
  }
  return out;
}

std::string BenchAsJson(const BenchResult& result) {
  std::string out = absl::StrFormat(
      R"({"address":%s,"bytes":%d,"seconds":%.6f,"bytes_per_second":%.0f,)"
      R"("message":%d,"exchanges":%d,"latency_us":{)",
      JsonString(result.name), result.bytes,
      absl::ToDoubleSeconds(result.duration),
      static_cast<double>(result.bytes) /
          std::max(absl::ToDoubleSeconds(result.duration), 1e-9),
      result.message, result.latency.count());
  for (const double percent : kPercentiles) {
    absl::StrAppendFormat(
        &out, R"("p%g":%.1f,)", percent,
        absl::ToDoubleMicroseconds(result.latency.Percentile(percent)));
  }
  absl::StrAppendFormat(&out, R"("max":%.1f,"mean":%.1f}})",
                        absl::ToDoubleMicroseconds(result.latency.max()),
                        absl::ToDoubleMicroseconds(result.latency.mean()));
  return out + "\n";
}

std::string BenchAsSvg(const BenchResult& result) {
  constexpr int kBar = 12;
  constexpr int kLeft = 20;
  constexpr int kTop = 50;
  constexpr int kHeight = 240;
  const std::vector<Histogram::Bar> bars = result.latency.Bars(8);
  const double highest = static_cast<double>(Highest(bars));
  const int width =
      std::max(2 * kLeft + kBar * static_cast<int>(bars.size()), 560);
  std::string out = absl::StrFormat(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" )"
      R"(font-family="sans-serif" font-size="12">)"
      "\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
      R"(<text x="%d" y="20">%s: %d B there and back, %d times</text>)"
      "\n<text x=\"%d\" y=\"38\">p50 %s, p99 %s, p99.9 %s, max %s</text>\n",
      width, kTop + kHeight + 40, kLeft, ForXml(result.name), result.message,
      result.latency.count(), kLeft,
      FormatElapsed(result.latency.Percentile(50)),
      FormatElapsed(result.latency.Percentile(99)),
      FormatElapsed(result.latency.Percentile(99.9)),
      FormatElapsed(result.latency.max()));
  for (size_t i = 0; i < bars.size(); ++i) {
    const int x = kLeft + kBar * static_cast<int>(i);
    const double height =
        kHeight * static_cast<double>(bars[i].count) / highest;
    absl::StrAppendFormat(
        &out,
        R"(<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="#4078c0"/>)"
        "\n",
        x, kTop + kHeight - height, kBar - 1, height);
    if (i % 8 == 0) {
      absl::StrAppendFormat(&out, "<text x=\"%d\" y=\"%d\">%s</text>\n", x,
                            kTop + kHeight + 18, FormatElapsed(bars[i].from));
    }
  }
  return out + "</svg>\n";
}

}  // namespace flow_tools
