#include "flow/layers/log_lines.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace flow {
namespace internal {
namespace {

constexpr size_t kPerLine = 16;
// Two digits and a space for each byte, a space more in the middle.
constexpr size_t kHexWidth = 3 * kPerLine + 1;

absl::string_view MarkOf(LogEvent::Way way) {
  switch (way) {
    case LogEvent::Way::kIn:
      return "<";
    case LogEvent::Way::kOut:
      return ">";
    case LogEvent::Way::kBoth:
      return "*";
  }
  return "?";
}

absl::string_view NameOf(LogEvent::Way way) {
  switch (way) {
    case LogEvent::Way::kIn:
      return "in";
    case LogEvent::Way::kOut:
      return "out";
    case LogEvent::Way::kBoth:
      return "both";
  }
  return "?";
}

bool IsPrintable(char c) { return c >= 0x20 && c <= 0x7e; }

// "> 00000010  47 45 ...  |GE...|".
std::string HexLine(absl::string_view mark, uint64_t offset,
                    absl::string_view bytes) {
  std::string line = absl::StrFormat("%s %08x  ", mark, offset);
  const size_t hex_at = line.size();
  for (size_t i = 0; i < bytes.size(); ++i) {
    absl::StrAppendFormat(&line, "%02x ", static_cast<unsigned char>(bytes[i]));
    if (i == kPerLine / 2 - 1) line += ' ';
  }
  line.resize(hex_at + kHexWidth, ' ');
  line += " |";
  for (const char c : bytes) line += IsPrintable(c) ? c : '.';
  line += '|';
  return line;
}

}  // namespace

std::string JsonEscape(absl::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (IsPrintable(c)) {
      text += c;
    } else {
      absl::StrAppendFormat(&text, "\\u%04x", static_cast<unsigned char>(c));
    }
  }
  return text;
}

LogLines::LogLines(const LogOptions& options, absl::string_view flow)
    : format_(options.format),
      payload_(options.payload),
      timestamps_(options.timestamps),
      flow_(absl::CHexEscape(flow)) {}

std::vector<std::string> LogLines::Format(const LogEvent& event) const {
  if (format_ == LogFormat::kJsonLines) return {Json(event)};
  if (format_ == LogFormat::kText) return {Text(event, /*with_payload=*/true)};
  std::vector<std::string> lines = {Text(event, /*with_payload=*/false)};
  const absl::string_view mark = MarkOf(event.way);
  for (size_t at = 0; at < event.shown.size(); at += kPerLine) {
    lines.push_back(
        HexLine(mark, event.offset + at, event.shown.substr(at, kPerLine)));
  }
  if (!event.shown.empty() && event.shown.size() < event.bytes) {
    lines.push_back(absl::StrCat(mark, " ..."));
  }
  return lines;
}

std::string LogLines::Text(const LogEvent& event, bool with_payload) const {
  std::string line;
  if (timestamps_) {
    line = absl::StrFormat("+%.6f ", absl::ToDoubleSeconds(event.at));
  }
  absl::StrAppend(&line, flow_, " ", MarkOf(event.way), " ");
  if (event.bytes == 0) {
    absl::StrAppend(&line, event.what, event.detail.empty() ? "" : ": ",
                    absl::CHexEscape(event.detail));
    return line;
  }
  absl::StrAppend(&line, event.bytes, " B");
  if (with_payload && !event.shown.empty()) {
    absl::StrAppend(&line, " \"", absl::CHexEscape(event.shown), "\"",
                    event.shown.size() < event.bytes ? "..." : "");
  }
  return line;
}

std::string LogLines::Json(const LogEvent& event) const {
  std::string line = "{";
  if (timestamps_) {
    absl::StrAppendFormat(&line, "\"t\":%.6f,",
                          absl::ToDoubleSeconds(event.at));
  }
  absl::StrAppend(&line, "\"flow\":\"", JsonEscape(flow_), "\",\"dir\":\"",
                  NameOf(event.way), "\",\"event\":\"", event.what, "\"");
  if (!event.detail.empty()) {
    absl::StrAppend(&line, ",\"detail\":\"", JsonEscape(event.detail), "\"");
  }
  if (event.bytes > 0) {
    absl::StrAppend(&line, ",\"at\":", event.offset,
                    ",\"bytes\":", event.bytes);
    if (!event.shown.empty()) {
      absl::StrAppend(&line, ",\"data\":\"", JsonEscape(event.shown), "\"");
      if (event.shown.size() < event.bytes) line += ",\"cut\":true";
    }
  }
  return line + "}";
}

}  // namespace internal
}  // namespace flow
