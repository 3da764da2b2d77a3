// File: service.h
//
// `flowcat --serve`: many connections at once, each with a thread (flow/net/
// serve.h), until a signal; then those that are left may end for --drain, and
// are cut after that or by a second signal.
//
// Guarantees: blocks; one connection that fails is no matter for the others.

#ifndef FLOW_TOOLS_FLOWCAT_SERVICE_H_
#define FLOW_TOOLS_FLOWCAT_SERVICE_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "flow/net/schemes.h"
#include "flow/net/serve.h"
#include "tools/flowcat/args.h"
#include "tools/flowcat/context.h"
#include "tools/flowcat/exit_code.h"
#include "tools/flowcat/live.h"

namespace flow_tools {

// Connections of FROM's clients to TO, which is opened anew for each.
[[nodiscard]] ExitCode RunService(const Context& context, const End& from,
                                  const End& to);

// What is done with each connection. An error is the connection's failure, and
// has been told.
using ServiceHandler = std::function<absl::Status(
    flow::ServerConnection& connection, LiveConnection& live)>;

// Serves `end`. `dress` is put on each connection behind what its scheme does.
[[nodiscard]] ExitCode ServeEnd(const Context& context, const End& end,
                                const flow::FlowUpgrade& dress,
                                const ServiceHandler& handler);

// How long connections that are left may take, if --drain does not say.
constexpr absl::Duration kServiceDrain = absl::Seconds(5);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_SERVICE_H_
