// File: flowcat_session.h
//
// One run of flowcat: open both ends, relay, say what became of it. It alone
// knows the order of these and the exit codes.
//
// Listening ends are listened on first, both of them, so that a port that is
// taken shows before anybody has connected. Then FROM is opened, then TO: a
// listening end takes one connection and listens no more.
//
// Guarantees: blocks; everything that was opened is closed when RunSession
// returns, and the path of a unix listener removed, whatever happened.

#ifndef FLOW_TOOLS_FLOWCAT_SESSION_H_
#define FLOW_TOOLS_FLOWCAT_SESSION_H_

#include <functional>
#include <ostream>

#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/limits.h"
#include "flow/net/schemes.h"
#include "tools/flowcat_args.h"

namespace flow_tools {

// What flowcat exits with; beside these, 128 and the number of the signal that
// ended it. They are documented in --help.
enum ExitCode : int {
  kExitOk = 0,       // both directions ended in order
  kExitRelay = 1,    // one of the ends failed
  kExitUsage = 2,    // the command line makes no sense
  kExitOpen = 3,     // an end could not be connected, listened on or used
  kExitTimeout = 4,  // --timeout
};

struct SessionOptions {
  End from;
  End to;
  // Of all of it, waiting for connections included.
  flow::Limits limits;
  // What may be opened besides what is built in; null: nothing. Outlives the
  // session.
  const flow::Schemes* schemes = nullptr;
  // Of each end that is not listened on.
  absl::Duration connect_timeout = absl::InfiniteDuration();
  // Says nothing but errors.
  bool quiet = false;
  // Whether standard input and output were open when the program started.
  bool stdio_is_open = true;
};

// Messages go to `log`, one line each.
[[nodiscard]] ExitCode RunSession(const SessionOptions& options,
                                  std::ostream& log);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_SESSION_H_
