#include "flow/registry/prometheus.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/changed_fields.h"

namespace flow {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string SafePrefix(absl::string_view prefix) {
  std::string safe;
  for (const char c : prefix) {
    const bool fits =
        absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_' ||
        c == ':' ||
        (!safe.empty() && absl::ascii_isdigit(static_cast<unsigned char>(c)));
    safe.push_back(fits ? c : '_');
  }
  return safe;
}

// How many bytes the UTF-8 character at the begin of `text` has; 0 if there is
// none. (Surrogates and overlong forms are none.)
size_t CharacterSize(absl::string_view text) {
  const auto byte = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto follows = [byte](size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if ((first == 0xE0 && byte(1) < 0xA0) ||
        (first == 0xED && byte(1) > 0x9F)) {
      return 0;
    }
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if ((first == 0xF0 && byte(1) < 0x90) ||
        (first == 0xF4 && byte(1) > 0x8F)) {
      return 0;
    }
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

// As the value of a label stands between its quotes.
std::string Escaped(absl::string_view value) {
  std::string escaped;
  while (!value.empty()) {
    const size_t size = CharacterSize(value);
    const absl::string_view character = value.substr(0, size == 0 ? 1 : size);
    value.remove_prefix(character.size());
    if (size == 0) {
      absl::StrAppend(&escaped, kReplacement);
    } else if (character == "\n") {
      absl::StrAppend(&escaped, "\\n");
    } else if (character == "\"" || character == "\\") {
      absl::StrAppend(&escaped, "\\", character);
    } else {
      absl::StrAppend(&escaped, character);
    }
  }
  return escaped;
}

class Page {
 public:
  explicit Page(absl::string_view prefix) : prefix_(SafePrefix(prefix)) {}

  void Head(absl::string_view name, absl::string_view type,
            absl::string_view help) {
    absl::StrAppend(&text_, "# HELP ", prefix_, name, " ", help, "\n# TYPE ",
                    prefix_, name, " ", type, "\n");
  }
  // `labels` as they stand between the braces.
  template <typename Value>
  void Line(absl::string_view name, absl::string_view labels, Value value) {
    absl::StrAppend(&text_, prefix_, name, "{", labels, "} ", value, "\n");
  }
  std::string Take() { return std::move(text_); }

 private:
  const std::string prefix_;
  std::string text_;
};

std::string LabelOf(absl::string_view label) {
  return absl::StrCat("label=\"", Escaped(label), "\"");
}

absl::string_view WaitsFor(Activity activity) {
  switch (activity) {
    case Activity::kFd:
      return "descriptor";
    case Activity::kSignal:
      return "thread";
    case Activity::kTime:
      return "time";
    case Activity::kIdle:
    case Activity::kTrying:
    case Activity::kTurn:
      break;
  }
  return "";
}

void WriteOpen(const FlowSnapshot& snapshot, Page& page) {
  page.Head("_open", "gauge", "Flows that are open now.");
  for (const auto& [label, totals] : snapshot.totals) {
    page.Line("_open", LabelOf(label), totals.opened - totals.closed);
  }
}

void WriteTotals(const FlowSnapshot& snapshot, Page& page) {
  static constexpr struct {
    const char* name;
    const char* help;
    uint64_t FlowTotals::*value;
  } kCounters[] = {
      {"_opened_total", "Flows that were opened.", &FlowTotals::opened},
      {"_closed_total", "Flows that were closed.", &FlowTotals::closed},
      {"_read_bytes_total", "Bytes given to callers.", &FlowTotals::bytes_read},
      {"_written_bytes_total", "Bytes accepted by transports.",
       &FlowTotals::bytes_written},
      {"_reads_total", "Calls that returned data.", &FlowTotals::reads},
      {"_writes_total", "Calls that wrote all.", &FlowTotals::writes},
  };
  for (const auto& counter : kCounters) {
    page.Head(counter.name, "counter", counter.help);
    for (const auto& [label, totals] : snapshot.totals) {
      page.Line(counter.name, LabelOf(label), totals.*counter.value);
    }
  }
}

void WriteWaiting(const FlowSnapshot& snapshot, Page& page) {
  std::map<std::tuple<std::string, absl::string_view, absl::string_view>, int>
      waiting;
  for (const FlowEntry& entry : snapshot.flows) {
    const absl::string_view in = WaitsFor(entry.stats.reading);
    const absl::string_view out = WaitsFor(entry.stats.writing);
    if (!in.empty()) ++waiting[{entry.label, "read", in}];
    if (!out.empty()) ++waiting[{entry.label, "write", out}];
  }
  page.Head("_waiting", "gauge", "Calls that wait, by what they wait for.");
  for (const auto& [key, count] : waiting) {
    const auto& [label, direction, what] = key;
    page.Line("_waiting",
              absl::StrCat(LabelOf(label), ",direction=\"", direction,
                           "\",for=\"", what, "\""),
              count);
  }
}

template <typename ValueOf>
void WriteEach(const FlowSnapshot& snapshot, absl::string_view name,
               absl::string_view help, ValueOf value_of, Page& page) {
  page.Head(name, "gauge", help);
  for (const FlowEntry& entry : snapshot.flows) {
    page.Line(name,
              absl::StrCat("id=\"", entry.id, "\",", LabelOf(entry.label),
                           ",local=\"", Escaped(entry.local.ToString()),
                           "\",peer=\"", Escaped(entry.peer.ToString()), "\""),
              value_of(entry.stats));
  }
}

}  // namespace

std::string PrometheusText(const FlowSnapshot& snapshot,
                           const PrometheusOptions& options) {
  Page page(options.prefix);
  WriteOpen(snapshot, page);
  WriteTotals(snapshot, page);
  WriteWaiting(snapshot, page);
  if (options.each_flow) {
    WriteEach(
        snapshot, "_flow_read_bytes", "Bytes that this flow has read.",
        [](const Stats& stats) { return stats.bytes_read; }, page);
    WriteEach(
        snapshot, "_flow_written_bytes", "Bytes that this flow has written.",
        [](const Stats& stats) { return stats.bytes_written; }, page);
    WriteEach(
        snapshot, "_flow_age_seconds", "How long this flow has been open.",
        [](const Stats& stats) { return absl::ToDoubleSeconds(stats.age); },
        page);
  }
  return page.Take();
}

std::string PrometheusOptions::ToString() const {
  const PrometheusOptions usual;
  return internal::ChangedFields()
      .Add("prefix", prefix, usual.prefix)
      .Add("each_flow", each_flow, usual.each_flow)
      .Text();
}

}  // namespace flow
