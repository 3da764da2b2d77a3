// File: options_parser.h (internal)
//
// What stands behind the commas of an address: it alone knows unknown options,
// doubled ones, and those that make no sense together.

#ifndef FLOW_NET_OPTIONS_PARSER_H_
#define FLOW_NET_OPTIONS_PARSER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/net/address.h"
#include "flow/net/grammar.h"
#include "flow/net/option_text.h"

namespace flow {
namespace internal {

// `text` in quotation marks, escaped, and cut if it is too long for a message.
std::string Quoted(absl::string_view text);

// Errors are INVALID_ARGUMENT; their messages name the option, and don't repeat
// the address.
class OptionsParser {
 public:
  // Both outlive this.
  OptionsParser(const SchemeSpec& spec, Address& into);

  // "NAME=VALUE" or "NAME".
  absl::Status Take(absl::string_view item);
  // After the last.
  absl::Status Finish();

 private:
  // What is wrong with option `name`, and which there are.
  absl::Status BadName(absl::string_view words, absl::string_view name) const;
  absl::Status TakeSocketOption(const SocketOptionText& option, bool bare,
                                absl::string_view value);
  absl::Status TakeOwnOption(size_t index, bool bare, absl::string_view value);
  absl::Status CheckFile() const;

  const SchemeSpec& spec_;
  Address& into_;
  // As spec_.options: what was given.
  std::vector<std::optional<std::string>> own_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_OPTIONS_PARSER_H_
