// File: demo.h
//
// The demonstration that flowcat gives when it is called without arguments: all
// of flow at once, on loopback, checked.
//
//   client --tcp--> relay --tcp--> server
//
// The client streams its bytes up while it reads what comes back, and ends its
// side (a half-close) when all are sent. The server echoes the first half as it
// comes, and keeps the second half until it has seen that end. So half of the
// bytes cross after the half-close, which is what many relays lose. The SHA-256
// of what came back must be that of what was sent.
//
// Guarantees: one call at a time per thread; ends within its time limit; leaves
// neither threads nor descriptors.

#ifndef FLOW_TOOLS_FLOWCAT_DEMO_H_
#define FLOW_TOOLS_FLOWCAT_DEMO_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/relay/relay.h"

namespace flow_tools {

struct DemoOptions {
  uint64_t bytes = uint64_t{64} << 20;
  // All of it must be done by then.
  absl::Duration timeout = absl::Minutes(2);
  flow::CancelToken cancel;
  // Where the progress goes; null is nowhere.
  std::ostream* progress = nullptr;
  // Whether that is a terminal: one line that is written over, instead of
  // several.
  bool progress_on_terminal = false;
  // For tests: the server spoils this byte of its echo.
  uint64_t spoil_byte = UINT64_MAX;
};

struct DemoResult {
  std::string sent_sha256;
  std::string received_sha256;
  uint64_t sent = 0;
  uint64_t received = 0;
  uint64_t received_after_half_close = 0;
  absl::Duration duration;
  flow::RelayResult relay;
};

// Runs it. DATA_LOSS if what came back is not what was sent; else the failure
// of whoever failed first.
[[nodiscard]] absl::StatusOr<DemoResult> RunDemo(const DemoOptions& options);

// The summary, several lines.
std::string DescribeDemo(const DemoResult& result);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_DEMO_H_
