// File: session.h
//
// `flowcat FROM TO` for one connection: open both ends, relay, say what became
// of it.
//
// Listening ends are listened on first, both of them, so that a port that is
// taken shows before anybody has connected. Then FROM is opened, then TO: a
// listening end takes one connection and listens no more.
//
// Guarantees: blocks; everything that was opened is closed when RunSession
// returns, and the path of a unix listener removed, whatever happened.

#ifndef FLOW_TOOLS_FLOWCAT_SESSION_H_
#define FLOW_TOOLS_FLOWCAT_SESSION_H_

#include "flow/limits.h"
#include "flow/relay/relay_options.h"
#include "tools/flowcat/args.h"
#include "tools/flowcat/context.h"
#include "tools/flowcat/exit_code.h"

namespace flow_tools {

[[nodiscard]] ExitCode RunSession(const Context& context, const End& from,
                                  const End& to);

// What the settings ask of a relay within `limits`.
flow::RelayOptions RelayOptionsOf(const Settings& settings,
                                  const flow::Limits& limits);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_SESSION_H_
