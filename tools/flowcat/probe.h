// File: probe.h
//
// `flowcat probe ADDR`: is it there, and how long does each step take: looking
// up the name, connecting to each of its addresses, TLS; who is there: the
// kernel's word for a unix socket, the certificate for TLS.

#ifndef FLOW_TOOLS_FLOWCAT_PROBE_H_
#define FLOW_TOOLS_FLOWCAT_PROBE_H_

#include "tools/flowcat/args.h"
#include "tools/flowcat/context.h"
#include "tools/flowcat/exit_code.h"

namespace flow_tools {

// On standard output, as lines or (--json) as one object.
[[nodiscard]] ExitCode RunProbe(const Context& context, const End& end);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_PROBE_H_
