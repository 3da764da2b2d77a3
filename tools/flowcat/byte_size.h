// File: byte_size.h
//
// Counts of bytes as people write them, as values of Abseil's flags: "4096",
// "64k", "1.5M", "2GiB". k, M, G and T are powers of 1024, as in the options of
// addresses (flow/net/socket_options.h).
//
// Guarantees: pure.

#ifndef FLOW_TOOLS_FLOWCAT_BYTE_SIZE_H_
#define FLOW_TOOLS_FLOWCAT_BYTE_SIZE_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/string_view.h"

namespace flow_tools {

// A count; kNone ("" as a flag) is none at all.
struct ByteSize {
  static constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

  uint64_t bytes = kNone;

  bool given() const { return bytes != kNone; }
};

// Bytes a second: as ByteSize, "/s" behind it or not. Infinite: no limit.
struct ByteRate {
  double per_second = std::numeric_limits<double>::infinity();

  bool given() const {
    return per_second != std::numeric_limits<double>::infinity();
  }
};

// What Abseil's flags ask for.
bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error);
std::string AbslUnparseFlag(ByteSize size);
bool AbslParseFlag(absl::string_view text, ByteRate* rate, std::string* error);
std::string AbslUnparseFlag(ByteRate rate);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_BYTE_SIZE_H_
