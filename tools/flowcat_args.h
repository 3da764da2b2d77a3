// File: flowcat_args.h
//
// The command line of flowcat, as values: which flags, which two ends. It alone
// knows what may be typed; nothing is opened or looked up here.
//
// Guarantees: ParseEnd and ParseEnds are pure. ParseFlags sets flags of
// Abseil's.

#ifndef FLOW_TOOLS_FLOWCAT_ARGS_H_
#define FLOW_TOOLS_FLOWCAT_ARGS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace flow_tools {

// One end of the relay.
struct End {
  enum class Kind : uint8_t {
    kStdio,   // "-"
    kDial,    // "tcp:...", "unix:..."
    kListen,  // "tcp-listen:...", "unix-listen:..."
  };

  Kind kind = Kind::kStdio;
  // As flow::Dial and flow::Listen want it; empty for kStdio.
  std::string address;
  // As it was typed, control characters escaped: for messages.
  std::string name;
};

// What `text` means. INVALID_ARGUMENT, with the text and what was expected, if
// it means nothing.
[[nodiscard]] absl::StatusOr<End> ParseEnd(absl::string_view text);

// FROM and TO. INVALID_ARGUMENT if they are not two, or both are "-".
[[nodiscard]] absl::StatusOr<std::pair<End, End>> ParseEnds(
    absl::Span<const std::string> words);

// Sets Abseil flags from `args` (without the program's name) and returns the
// other words, in order. "--name=value", "--name value", "--bool", "--nobool";
// dashes in names count as underscores; "-" is a word; so is all after "--".
// INVALID_ARGUMENT, with the text, for a flag that is unknown or a value that
// is none. (absl::ParseCommandLine ends the process with 1 there, which
// flowcat's exit codes keep for a relay that failed.)
[[nodiscard]] absl::StatusOr<std::vector<std::string>> ParseFlags(
    absl::Span<const char* const> args);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_ARGS_H_
