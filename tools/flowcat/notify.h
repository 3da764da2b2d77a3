// File: notify.h
//
// Tells the service manager how it goes (sd_notify(3)): "READY=1" once it
// listens, "STOPPING=1" when it ends. (systemd: Type=notify.)
//
// Guarantees: does nothing if nobody wants to know (NOTIFY_SOCKET); never
// fails and never waits.

#ifndef FLOW_TOOLS_FLOWCAT_NOTIFY_H_
#define FLOW_TOOLS_FLOWCAT_NOTIFY_H_

#include <string>

#include "absl/strings/string_view.h"

namespace flow_tools {

class Notifier {
 public:
  // Reads the variable, and removes it, so that no program that is started from
  // here speaks for us. To be made before other threads.
  Notifier();

  // "READY=1", lines.
  void Tell(absl::string_view state) const;
  void Ready(absl::string_view status) const;
  void Stopping() const { Tell("STOPPING=1"); }

 private:
  std::string path_;
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_NOTIFY_H_
