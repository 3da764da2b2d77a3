// File: manual.h
//
// The manual of flowcat as tables, from which its three forms are made: --help,
// the man page (`flowcat man`) and bash's completion (`flowcat completion`).
//
// Guarantees: pure; the tables are constant.

#ifndef FLOW_TOOLS_FLOWCAT_MANUAL_H_
#define FLOW_TOOLS_FLOWCAT_MANUAL_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace flow_tools {

inline constexpr char kVersion[] = "0.1.0";

// Commands, as bits of FlagText::commands.
enum Command : unsigned {
  kRelay = 1,  // flowcat FROM TO
  kEcho = 2,
  kProbe = 4,
  kBench = 8,
  kChaos = 16,
  kDemo = 32,
  kPrint = 64,  // man, completion, help
  kAll = 127,
};

struct CommandText {
  Command command;
  const char* name;       // "" for the relay
  const char* arguments;  // "FROM TO"
  const char* text;       // a sentence or two
};

struct FlagText {
  const char* name;     // with dashes, without the leading two
  const char* value;    // "TIME"; "" if it takes none
  const char* choices;  // "text hex json", for completion; "" if any
  unsigned commands;    // that have it
  const char* group;    // a heading
  const char* text;
};

struct Example {
  Command command;
  const char* line;
  const char* text;
};

// Two columns of a list: of addresses, of exit codes.
struct Row {
  const char* name;
  const char* text;
};

absl::Span<const CommandText> Commands();
absl::Span<const FlagText> Flags();
absl::Span<const Example> Examples();
absl::Span<const Row> AddressRows();
absl::Span<const Row> ExitRows();
absl::Span<const Row> SignalRows();
// Paragraphs of their own.
absl::Span<const char* const> Notes();

// The command of that name; null if there is none.
const CommandText* FindCommand(absl::string_view name);
// The flag of that name, with dashes or underscores; null if there is none.
const FlagText* FindFlagText(absl::string_view name);

// `flowcat --help`; of one command alone, if `command` is not kRelay.
std::string HelpText(Command command);
// "--dump=text|hex|json", "--rate=BYTES", "--quiet": as help and man page have
// it.
std::string FlagUsage(const FlagText& flag);
// roff, for man(7).
std::string ManPage();
// A script for bash to source.
std::string BashCompletion();

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_MANUAL_H_
