// File: percent.h (internal)
//
// How a byte that means something else in an address is written: %XX, as in
// RFC 3986.

#ifndef FLOW_NET_PERCENT_H_
#define FLOW_NET_PERCENT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace flow {
namespace internal {

// `text` with every comma, percent sign, and byte that is not printable ASCII
// as %XX (upper case).
std::string PercentEncode(absl::string_view text);

// The reverse; nothing if a % is not followed by two hex digits. Bytes that
// need not be written so may be.
std::optional<std::string> PercentDecode(absl::string_view text);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_PERCENT_H_
