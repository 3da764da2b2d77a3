#include "flow/stats.h"

#include "absl/strings/str_cat.h"

namespace flow {
namespace {

std::string Queued(uint32_t calls) {
  return calls == 0 ? "" : absl::StrCat(", ", calls, " queued");
}

}  // namespace

absl::string_view ActivityName(Activity activity) {
  switch (activity) {
    case Activity::kIdle:
      return "idle";
    case Activity::kTrying:
      return "trying";
    case Activity::kFd:
      return "waiting for its descriptor";
    case Activity::kSignal:
      return "waiting for another thread";
    case Activity::kTime:
      return "waiting for a time";
    case Activity::kTurn:
      return "waiting for its turn";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, Activity activity) {
  return os << ActivityName(activity);
}

std::string Stats::ToString() const {
  return absl::StrCat(
      bytes_read, " B in ", reads, " reads, ", bytes_written, " B out in ",
      writes, " writes, age ", absl::FormatDuration(age),
      ", reading: ", ActivityName(reading), Queued(queued_reads),
      ", writing: ", ActivityName(writing), Queued(queued_writes));
}

}  // namespace flow
