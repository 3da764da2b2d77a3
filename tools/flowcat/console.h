// File: console.h
//
// Console: standard error, for several threads at once: messages of one line
// each, and below them, on a terminal, one line that is written over again and
// again.
//
//   Console console(/*quiet=*/false);
//   console.SetStatus("12.0 MiB  3.1 MiB/s");   // on a terminal
//   console.Note("listening on tcp:127.0.0.1:7");
//
// Each change is one write, so nothing flickers: a message takes the line's
// place, and the line is written again below it. Nothing of the terminal is
// set, so nothing is to be undone: whoever kills the program finds it as it
// was. While the program is not in the terminal's foreground the line is not
// shown.
//
// Guarantees: any thread. Messages never mix. The destructor clears the line.

#ifndef FLOW_TOOLS_FLOWCAT_CONSOLE_H_
#define FLOW_TOOLS_FLOWCAT_CONSOLE_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "flow/flow.h"

namespace flow_tools {

class Console {
 public:
  explicit Console(bool quiet);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  bool is_terminal() const { return is_terminal_; }
  bool quiet() const { return quiet_; }
  // Of the terminal; 80 if it does not say.
  int width() const;

  // "flowcat: MESSAGE" and a newline, always.
  void Error(absl::string_view message) ABSL_LOCKS_EXCLUDED(mu_);
  // The same unless --quiet was given.
  void Note(absl::string_view message) ABSL_LOCKS_EXCLUDED(mu_);
  // Lines as they are; each has its newline.
  void Lines(absl::string_view text) ABSL_LOCKS_EXCLUDED(mu_);

  // The line below; "" is none. Nothing where there is no terminal.
  void SetStatus(absl::string_view line) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Write(absl::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const bool quiet_;
  const bool is_terminal_;
  absl::Mutex mu_;
  flow::Flow out_ ABSL_GUARDED_BY(mu_);
  std::string status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_CONSOLE_H_
