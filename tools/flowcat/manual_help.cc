// --help: the manual for a terminal of 80 columns.

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tools/flowcat/manual.h"

namespace flow_tools {
namespace {

constexpr size_t kWidth = 79;

// `text`, broken between words, each line indented by `indent`. The first
// begins at column `column`, which is there already.
void AppendWrapped(absl::string_view text, size_t indent, size_t column,
                   std::string* out) {
  bool first = true;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (!first && column + 1 + word.size() > kWidth) {
      absl::StrAppend(out, "\n", std::string(indent, ' '));
      column = indent;
    } else if (!first) {
      absl::StrAppend(out, " ");
      ++column;
    }
    absl::StrAppend(out, word);
    column += word.size();
    first = false;
  }
  absl::StrAppend(out, "\n");
}

// A name and what is said of it, in two columns.
void AppendRow(absl::string_view name, absl::string_view text, size_t indent,
               std::string* out) {
  absl::StrAppend(out, "  ", name);
  size_t column = 2 + name.size();
  if (column + 2 > indent) {
    absl::StrAppend(out, "\n");
    column = 0;
  }
  absl::StrAppend(out, std::string(indent - column, ' '));
  AppendWrapped(text, indent, indent, out);
}

void AppendExamples(Command command, std::string* out) {
  absl::StrAppend(out, "\nExamples:\n");
  for (const Example& example : Examples()) {
    if (command != kRelay && example.command != command) continue;
    absl::StrAppend(out, "  ", example.line, "\n      ");
    AppendWrapped(example.text, 6, 6, out);
  }
}

// Those of `command`, under their headings.
void AppendFlags(Command command, std::string* out) {
  absl::StrAppend(out,
                  "\nFlags (dashes or underscores, --name=value or --name "
                  "value):\n");
  absl::string_view group;
  for (const FlagText& flag : Flags()) {
    if (command != kRelay && (flag.commands & command) == 0) continue;
    if (group != flag.group) {
      group = flag.group;
      absl::StrAppend(out, " ", group, ":\n");
    }
    AppendRow(FlagUsage(flag), flag.text, 28, out);
  }
}

void AppendRows(absl::string_view title, absl::Span<const Row> rows,
                size_t indent, std::string* out) {
  absl::StrAppend(out, "\n", title, ":\n");
  for (const Row& row : rows) AppendRow(row.name, row.text, indent, out);
}

void AppendUsage(const CommandText& command, std::string* out) {
  absl::StrAppend(out, "flowcat", *command.name != '\0' ? " " : "",
                  command.name, *command.arguments != '\0' ? " " : "",
                  command.arguments, ": ");
  AppendWrapped(command.text, 4, out->size() - out->rfind('\n') - 1, out);
}

}  // namespace

std::string HelpText(Command command) {
  std::string out = "\n";
  for (const CommandText& each : Commands()) {
    if (command == kRelay || each.command == command) AppendUsage(each, &out);
  }
  AppendExamples(command, &out);
  if (command == kRelay) AppendRows("Ends", AddressRows(), 24, &out);
  AppendFlags(command, &out);
  if (command == kRelay) {
    for (const char* const note : Notes()) {
      absl::StrAppend(&out, "\n");
      AppendWrapped(note, 0, 0, &out);
    }
    AppendRows("Signals", SignalRows(), 19, &out);
    AppendRows("Exit codes", ExitRows(), 11, &out);
  }
  return out.substr(1);
}

}  // namespace flow_tools
