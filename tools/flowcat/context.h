// File: context.h
//
// Context: what all commands of flowcat share. Made once, in main.

#ifndef FLOW_TOOLS_FLOWCAT_CONTEXT_H_
#define FLOW_TOOLS_FLOWCAT_CONTEXT_H_

#include "flow/net/schemes.h"
#include "tools/flowcat/console.h"
#include "tools/flowcat/live.h"
#include "tools/flowcat/notify.h"
#include "tools/flowcat/settings.h"
#include "tools/flowcat/stop_signals.h"

namespace flow_tools {

struct Context {
  const Settings& settings;
  // What may be opened besides what is built in.
  const flow::Schemes& schemes;
  Console& console;
  LiveConnections& live;
  const StopSignals& signals;
  const Notifier& notifier;
  // Whether standard input and output were open when the program started.
  bool stdio_is_open = true;
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_CONTEXT_H_
