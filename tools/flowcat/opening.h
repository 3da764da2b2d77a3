// File: opening.h
//
// From the ends on the command line to flows and listeners, and what is said if
// that can't be had: the step, the address, the reason, and a hint.

#ifndef FLOW_TOOLS_FLOWCAT_OPENING_H_
#define FLOW_TOOLS_FLOWCAT_OPENING_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/open.h"
#include "tools/flowcat/args.h"
#include "tools/flowcat/context.h"
#include "tools/flowcat/exit_code.h"

namespace flow_tools {

// Listens on `end`, which is one that listens, and says where.
[[nodiscard]] absl::StatusOr<flow::OpenedListener> ListenOn(
    const Context& context, const End& end);

// Opens `end`, which is one that does not listen, within `limits` and
// --connect-timeout.
[[nodiscard]] absl::StatusOr<flow::Flow> OpenEnd(const Context& context,
                                                 const End& end,
                                                 const flow::Limits& limits);

// "connect to", "accept a connection on", "use".
absl::string_view StepOf(const End& end);

// "cannot STEP END: REASON", and a hint in a line of its own. `prefix` names a
// connection among many.
void SayCannot(const Context& context, absl::string_view prefix,
               absl::string_view step, const End& end,
               const absl::Status& status);

// What the program exits with then.
ExitCode ExitCodeOfOpening(const absl::Status& status);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_OPENING_H_
