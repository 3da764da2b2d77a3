// File: args.h
//
// The command line of flowcat, as values: which flags, which two ends. Ends are
// addresses as the library has them; nothing is opened or looked up here.
//
// Guarantees: ParseEnd and ParseEnds are pure. ParseFlags sets flags of
// Abseil's.

#ifndef FLOW_TOOLS_FLOWCAT_ARGS_H_
#define FLOW_TOOLS_FLOWCAT_ARGS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/net/address.h"
#include "flow/net/schemes.h"

namespace flow_tools {

// The command line, taken apart.
struct CommandLine {
  std::vector<std::string> words;
  // Which flags were given, without dashes: "half_close_timeout".
  std::vector<std::string> flags;
};

// One end of the relay.
struct End {
  flow::Address address;
  // As it was typed, control characters escaped: for messages.
  std::string name;

  bool is_stdio() const {
    return address.scheme == flow::Address::Scheme::kStdio;
  }
};

// What `text` means (flow/net/address.h), with `schemes` besides those that are
// built in. INVALID_ARGUMENT, with the text and what was expected, if it means
// nothing.
[[nodiscard]] absl::StatusOr<End> ParseEnd(
    absl::string_view text, const flow::Schemes* schemes = nullptr);

// FROM and TO. INVALID_ARGUMENT if they are not two, or both are "-".
[[nodiscard]] absl::StatusOr<std::pair<End, End>> ParseEnds(
    absl::Span<const std::string> words,
    const flow::Schemes* schemes = nullptr);

// Sets Abseil flags from `args` (without the program's name) and returns which,
// and the other words, in order. "--name=value", "--name value", "--bool",
// "--nobool"; dashes in names count as underscores; "-" is a word; so is all
// after "--". INVALID_ARGUMENT, with the text, for a flag that is unknown or a
// value that is none. (absl::ParseCommandLine ends the process with 1 there,
// which flowcat's exit codes keep for a relay that failed.)
[[nodiscard]] absl::StatusOr<CommandLine> ParseFlags(
    absl::Span<const char* const> args);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_ARGS_H_
