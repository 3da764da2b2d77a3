// File: option_text.h (internal)
//
// How the options of addresses are spelled: it alone knows their names, and
// what each takes for a value.

#ifndef FLOW_NET_OPTION_TEXT_H_
#define FLOW_NET_OPTION_TEXT_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/net/socket_options.h"

namespace flow {
namespace internal {

// An option that is a field of SocketOptions.
struct SocketOptionText {
  const char* name;
  // What it may be set to, for messages: "yes or no".
  const char* expected;
  // The name alone stands for name=yes.
  bool may_be_bare;
  // False if `value` is none; `into` is as it was then.
  bool (*parse)(absl::string_view value, SocketOptions& into);
  // Nothing if it is not set. Whatever it is set to, in range or not.
  std::optional<std::string> (*print)(const SocketOptions& options);
};

// All of them, in the order in which they are printed.
absl::Span<const SocketOptionText> AllSocketOptions();
// Null if there is none of that name.
const SocketOptionText* FindSocketOption(absl::string_view name);

// yes, on, true, 1 and no, off, false, 0.
std::optional<bool> ParseYesNo(absl::string_view value);
// "yes" or "no".
const char* YesNo(bool value);

// Octal digits, 0 to 0777.
std::optional<mode_t> ParseMode(absl::string_view value);
std::string ModeText(mode_t mode);

// A number from 0 to 65535, digits only.
std::optional<uint16_t> ParsePortNumber(absl::string_view value);

// An IPv4 address in four parts; an IPv6 address, which may have a scope
// (%eth0). In the one form in which inet_ntop(3) writes it; nothing if `text`
// is none.
std::optional<std::string> CanonicalIp4(absl::string_view text);
std::optional<std::string> CanonicalIp6(absl::string_view text);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_OPTION_TEXT_H_
