// File: echo.h
//
// `flowcat echo ADDR`: sends back what comes: to everybody who connects, if
// ADDR listens, else on the one connection that it makes.

#ifndef FLOW_TOOLS_FLOWCAT_ECHO_H_
#define FLOW_TOOLS_FLOWCAT_ECHO_H_

#include "tools/flowcat/args.h"
#include "tools/flowcat/context.h"
#include "tools/flowcat/exit_code.h"

namespace flow_tools {

[[nodiscard]] ExitCode RunEcho(const Context& context, const End& end);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_ECHO_H_
