// File: exit_code.h
//
// What flowcat exits with; beside these, 128 and the number of the signal that
// ended it. The manual has them in words (manual.cc).

#ifndef FLOW_TOOLS_FLOWCAT_EXIT_CODE_H_
#define FLOW_TOOLS_FLOWCAT_EXIT_CODE_H_

namespace flow_tools {

enum ExitCode : int {
  kExitOk = 0,       // both directions ended in order; a server was stopped
  kExitRelay = 1,    // one of the ends failed
  kExitUsage = 2,    // the command line makes no sense
  kExitOpen = 3,     // an end could not be connected, listened on or used
  kExitTimeout = 4,  // --timeout and the like
  kExitCut = 5,      // a server's last connections were cut by --drain
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_EXIT_CODE_H_
