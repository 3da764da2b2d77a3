#include "tools/flowcat/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"

namespace flow_tools {
namespace {

// To the line's begin, and what is there is gone.
constexpr char kClear[] = "\r\x1b[K";

bool InForeground() { return tcgetpgrp(STDERR_FILENO) == getpgrp(); }

}  // namespace

Console::Console(bool quiet)
    : quiet_(quiet), is_terminal_(isatty(STDERR_FILENO) == 1) {
  absl::StatusOr<flow::Flow> out = flow::Borrow(STDERR_FILENO);
  if (out.ok()) out_ = *std::move(out);
}

Console::~Console() { SetStatus(""); }

int Console::width() const {
  winsize size = {};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
  return known && size.ws_col > 0 ? size.ws_col : 80;
}

// (A reader of standard error that is gone is no reason to end.)
void Console::Write(absl::string_view text) { out_.Write(text).IgnoreError(); }

void Console::Error(absl::string_view message) {
  Lines(absl::StrCat("flowcat: ", message, "\n"));
}

void Console::Note(absl::string_view message) {
  if (!quiet_) Error(message);
}

void Console::Lines(absl::string_view text) {
  absl::MutexLock lock(&mu_);
  if (status_.empty()) return Write(text);
  Write(absl::StrCat(kClear, text, status_));
}

void Console::SetStatus(absl::string_view line) {
  absl::MutexLock lock(&mu_);
  if (!is_terminal_ || line == status_ || !InForeground()) return;
  status_ = std::string(line);
  // A terminal that was stopped (Ctrl-S) keeps nobody waiting: what does not
  // fit now is written over by the next.
  out_.WriteSome(absl::StrCat(kClear, line), absl::Milliseconds(100))
      .IgnoreError();
}

}  // namespace flow_tools
