// File: report.h
//
// What became of a connection, in words and as JSON.
//
// Guarantees: pure.

#ifndef FLOW_TOOLS_FLOWCAT_REPORT_H_
#define FLOW_TOOLS_FLOWCAT_REPORT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/relay/relay_result.h"
#include "tools/flowcat/exit_code.h"

namespace flow_tools {

// A status in words, without what only programs read.
std::string Words(const absl::Status& status);

// "..." with what JSON wants escaped; bytes that are not ASCII become one code
// point each.
std::string JsonString(absl::string_view text);

// "FROM -> TO: 1000 B in 1.2ms, 800.0 KiB/s", or what failed.
std::string DescribeDirection(absl::string_view from, absl::string_view to,
                              const flow::CopyResult& result);

// One line: {"connection":1,"from":"...","to":"...","ok":true,"seconds":0.1,
// "forward":{"bytes":1000,...},"back":{...}}.
std::string DescribeAsJson(uint64_t id, absl::string_view from,
                           absl::string_view to,
                           const flow::RelayResult& result);

ExitCode ExitCodeOf(const flow::RelayResult& result);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_REPORT_H_
