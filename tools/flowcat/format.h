// File: format.h
//
// Numbers as people read them.

#ifndef FLOW_TOOLS_FLOWCAT_FORMAT_H_
#define FLOW_TOOLS_FLOWCAT_FORMAT_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace flow_tools {

// "64.0 MiB", "999 B".
std::string FormatBytes(uint64_t bytes);

// "123.4 MiB/s"; "-" if no time has passed.
std::string FormatRate(uint64_t bytes, absl::Duration duration);

// To three digits or so: "1.234s", "12.3ms", "2m3s".
std::string FormatElapsed(absl::Duration duration);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_FORMAT_H_
