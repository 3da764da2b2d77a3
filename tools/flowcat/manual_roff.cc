// The man page.

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "tools/flowcat/manual.h"

namespace flow_tools {
namespace {

// Text that roff takes as it is: no escape, no request at a line's begin. A
// dash is a minus sign, so that what is copied from the page can be typed.
std::string Plain(absl::string_view text) {
  std::string plain =
      absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}, {"'", "\\(aq"}});
  if (absl::StartsWith(plain, ".")) plain = absl::StrCat("\\&", plain);
  return plain;
}

void AppendRow(absl::string_view name, absl::string_view text,
               std::string* out) {
  absl::StrAppend(out, ".TP\n\\fB", Plain(name), "\\fR\n", Plain(text), "\n");
}

void AppendRows(absl::string_view title, absl::Span<const Row> rows,
                std::string* out) {
  absl::StrAppend(out, ".SH ", title, "\n");
  for (const Row& row : rows) AppendRow(row.name, row.text, out);
}

void AppendFlags(std::string* out) {
  absl::StrAppend(out, ".SH OPTIONS\n",
                  "Dashes or underscores, \\-\\-name=value or \\-\\-name "
                  "value.\n");
  absl::string_view group;
  for (const FlagText& flag : Flags()) {
    if (group != flag.group) {
      group = flag.group;
      absl::StrAppend(out, ".SS ", Plain(group), "\n");
    }
    AppendRow(FlagUsage(flag), flag.text, out);
  }
}

}  // namespace

std::string ManPage() {
  std::string out = absl::StrCat(
      ".\\\" Made by `flowcat man`.\n.TH FLOWCAT 1 \"\" \"flow ", kVersion,
      "\" \"User Commands\"\n.SH NAME\n"
      "flowcat \\- relay bytes between two ends, and look at what passes\n"
      ".SH SYNOPSIS\n");
  for (const CommandText& command : Commands()) {
    absl::StrAppend(&out, ".B flowcat", *command.name != '\0' ? " " : "",
                    command.name, "\n[\\fIflags\\fR] ",
                    Plain(command.arguments), "\n.br\n");
  }
  absl::StrAppend(&out, ".SH DESCRIPTION\n");
  for (const CommandText& command : Commands()) {
    AppendRow(
        absl::StrCat("flowcat", *command.name != '\0' ? " " : "", command.name),
        command.text, &out);
  }
  for (const char* const note : Notes()) {
    absl::StrAppend(&out, ".PP\n", Plain(note), "\n");
  }
  AppendRows("ADDRESSES", AddressRows(), &out);
  AppendFlags(&out);
  AppendRows("SIGNALS", SignalRows(), &out);
  AppendRows("EXIT STATUS", ExitRows(), &out);
  absl::StrAppend(&out, ".SH EXAMPLES\n");
  for (const Example& example : Examples()) {
    AppendRow(example.line, example.text, &out);
  }
  return out;
}

}  // namespace flow_tools
