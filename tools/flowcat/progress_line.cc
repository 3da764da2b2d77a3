#include "tools/flowcat/progress_line.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/flowcat/format.h"

namespace flow_tools {
namespace {

constexpr absl::Duration kWindow = absl::Seconds(5);

// "4.0 MiB/s"; nothing moved is "0 B/s".
std::string Rate(uint64_t bytes, absl::Duration span) {
  return bytes == 0 ? "0 B/s" : FormatRate(bytes, span);
}

// "0s", "1m3s".
std::string Seconds(absl::Duration time) {
  const absl::Duration whole = absl::Trunc(time, absl::Seconds(1));
  return whole == absl::ZeroDuration() ? "0s" : absl::FormatDuration(whole);
}

}  // namespace

std::string ProgressLine::Next(absl::Duration elapsed,
                               const LiveConnections::Totals& totals,
                               size_t width) {
  const Sample now = {elapsed, totals.forward, totals.back};
  while (samples_.size() > 1 && samples_[1].elapsed <= elapsed - kWindow) {
    samples_.pop_front();
  }
  const Sample first = samples_.front();
  samples_.push_back(now);
  const absl::Duration span = elapsed - first.elapsed;
  std::string line;
  if (many_) {
    absl::StrAppend(&line, totals.begun - totals.ended, " live, ", totals.ended,
                    " ended");
    if (totals.failed > 0)
      absl::StrAppend(&line, ", ", totals.failed, " failed");
    absl::StrAppend(&line, " | ");
  }
  absl::StrAppend(&line, FormatBytes(now.forward), " > ",
                  Rate(now.forward - first.forward, span), " | ",
                  FormatBytes(now.back), " < ",
                  Rate(now.back - first.back, span), " | ", Seconds(elapsed),
                  Left(first, now));
  return line.substr(0, width);
}

std::string ProgressLine::Left(const Sample& first, const Sample& now) const {
  if (!size_.given() || size_.bytes == 0) return "";
  const double all = static_cast<double>(size_.bytes);
  const double done = static_cast<double>(std::min(now.forward, size_.bytes));
  std::string text = absl::StrFormat(
      " | %d%%", static_cast<int>(std::floor(100 * done / all)));
  const double moved = static_cast<double>(now.forward - first.forward);
  if (moved > 0 && done < all) {
    const absl::Duration left =
        (now.elapsed - first.elapsed) * ((all - done) / moved);
    absl::StrAppend(&text, ", ", Seconds(absl::Ceil(left, absl::Seconds(1))),
                    " left");
  }
  return text;
}

}  // namespace flow_tools
