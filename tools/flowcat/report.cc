#include "tools/flowcat/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "flow/relay/relay_options.h"
#include "tools/flowcat/format.h"

namespace flow_tools {
namespace {

std::string DirectionAsJson(const flow::CopyResult& result) {
  const absl::Status status = result.status();
  return absl::StrFormat(
      R"({"bytes":%d,"bytes_read":%d,"reads":%d,"writes":%d,"seconds":%.6f,)"
      R"("method":"%s","end":"%s","error":%s})",
      result.bytes, result.bytes_read, result.reads, result.writes,
      absl::ToDoubleSeconds(result.duration),
      flow::CopyMethodName(result.method), flow::CopyEndName(result.end()),
      status.ok() ? "null" : JsonString(Words(status)));
}

}  // namespace

std::string Words(const absl::Status& status) {
  return status.ToString(absl::StatusToStringMode::kWithNoExtraData);
}

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&json, "\\", absl::string_view(&c, 1));
    } else if (byte < 0x20 || byte >= 0x7f) {
      absl::StrAppendFormat(&json, "\\u%04x", byte);
    } else {
      json.push_back(c);
    }
  }
  return json + "\"";
}

std::string DescribeDirection(absl::string_view from, absl::string_view to,
                              const flow::CopyResult& result) {
  const std::string names = absl::StrCat(from, " -> ", to, ": ");
  if (result.ok()) {
    return absl::StrCat(names, result.bytes, " B in ",
                        FormatElapsed(result.duration), ", ",
                        FormatRate(result.bytes, result.duration));
  }
  return absl::StrCat(names,
                      result.cut ? result.ToString() : Words(result.status()));
}

std::string DescribeAsJson(uint64_t id, absl::string_view from,
                           absl::string_view to,
                           const flow::RelayResult& result) {
  return absl::StrCat(R"({"connection":)", id, R"(,"from":)", JsonString(from),
                      R"(,"to":)", JsonString(to), R"(,"ok":)",
                      result.ok() ? "true" : "false",
                      absl::StrFormat(R"(,"seconds":%.6f)",
                                      absl::ToDoubleSeconds(result.duration)),
                      R"(,"forward":)", DirectionAsJson(result.a_to_b),
                      R"(,"back":)", DirectionAsJson(result.b_to_a), "}");
}

ExitCode ExitCodeOf(const flow::RelayResult& result) {
  if (result.ok()) return kExitOk;
  return absl::IsDeadlineExceeded(result.status()) ? kExitTimeout : kExitRelay;
}

}  // namespace flow_tools
