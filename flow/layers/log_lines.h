// File: log_lines.h (internal)
//
// LogLines: events of a flow in words. It alone knows what a line of a log
// looks like (flow/layers/logging.h shows it).
//
// Guarantees: immutable; any thread.

#ifndef FLOW_LAYERS_LOG_LINES_H_
#define FLOW_LAYERS_LOG_LINES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/layers/logging.h"

namespace flow {
namespace internal {

struct LogEvent {
  enum class Way : uint8_t { kIn, kOut, kBoth };

  absl::Duration at;  // since the layer was made
  Way way = Way::kBoth;
  absl::string_view what;  // "data", "eof", ...
  std::string detail;      // of a failure
  // Of data: the size, where it begins, and as much of it as is shown.
  uint64_t bytes = 0;
  uint64_t offset = 0;
  absl::string_view shown;
};

class LogLines {
 public:
  // `flow` is its name in each line.
  LogLines(const LogOptions& options, absl::string_view flow);

  // How many bytes of each step to show.
  size_t payload() const { return payload_; }

  std::vector<std::string> Format(const LogEvent& event) const;

 private:
  std::string Text(const LogEvent& event, bool with_payload) const;
  std::string Json(const LogEvent& event) const;

  const LogFormat format_;
  const size_t payload_;
  const bool timestamps_;
  const std::string flow_;
};

// `bytes` as the inside of a JSON string, each byte one code point.
std::string JsonEscape(absl::string_view bytes);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_LAYERS_LOG_LINES_H_
