#include "tools/flowcat/format.h"

#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace flow_tools {

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1000) return absl::StrCat(bytes, " B");
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string FormatRate(uint64_t bytes, absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  // Also for what can't be a time: 0, negative, not a number.
  if (!(seconds > 0)) return "-";
  const double rate = static_cast<double>(bytes) / seconds;
  if (rate >= 1e18) return "-";
  return absl::StrCat(FormatBytes(static_cast<uint64_t>(rate)), "/s");
}

std::string FormatElapsed(absl::Duration duration) {
  const absl::Duration size = absl::AbsDuration(duration);
  const absl::Duration unit = size >= absl::Minutes(1)   ? absl::Seconds(1)
                              : size >= absl::Seconds(1) ? absl::Milliseconds(1)
                              : size >= absl::Milliseconds(1)
                                  ? absl::Microseconds(100)
                                  : absl::Microseconds(1);
  return absl::FormatDuration(absl::Trunc(duration, unit));
}

}  // namespace flow_tools
