#include "tools/flowcat/progress.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "flow/sys/mono_time.h"
#include "tools/flowcat/progress_line.h"

namespace flow_tools {
namespace {

using S = flow::Address::Scheme;

bool OnTerminal(const End* end) {
  return end != nullptr && end->is_stdio() &&
         (isatty(STDIN_FILENO) == 1 || isatty(STDOUT_FILENO) == 1);
}

bool IsWanted(const Context& context, const End* from, const End* to) {
  switch (context.settings.progress) {
    case Switch::kOn:
      return true;
    case Switch::kOff:
      return false;
    case Switch::kAuto:
      break;
  }
  return context.console.is_terminal() && !context.console.quiet() &&
         !OnTerminal(from) && !OnTerminal(to);
}

absl::Duration Interval(const Context& context) {
  if (context.settings.progress_interval.has_value()) {
    return *context.settings.progress_interval;
  }
  return context.console.is_terminal() ? absl::Milliseconds(250)
                                       : absl::Seconds(5);
}

// What is left of the file; kNone if it is none.
uint64_t LeftOf(int fd, const struct stat& file) {
  if (!S_ISREG(file.st_mode)) return ByteSize::kNone;
  const off_t at = fd < 0 ? 0 : lseek(fd, 0, SEEK_CUR);
  if (at < 0 || at > file.st_size) return ByteSize::kNone;
  return static_cast<uint64_t>(file.st_size - at);
}

}  // namespace

ByteSize SizeOf(const Settings& settings, const End& from) {
  if (settings.size.given()) return settings.size;
  const flow::Address& address = from.address;
  const int fd = from.is_stdio() ? STDIN_FILENO : address.in_fd;
  struct stat file = {};
  uint64_t size = ByteSize::kNone;
  if (address.scheme == S::kFile) {
    if (stat(address.path.c_str(), &file) == 0) size = LeftOf(-1, file);
  } else if (fd >= 0 && fstat(fd, &file) == 0) {
    size = LeftOf(fd, file);
  }
  return {std::min(size, settings.limit.bytes)};
}

Progress::Progress(const Context& context, const End* from, const End* to)
    : context_(context), interval_(Interval(context)) {
  if (!IsWanted(context, from, to)) return;
  const ByteSize size =
      from == nullptr ? ByteSize() : SizeOf(context.settings, *from);
  thread_ =
      std::thread([this, size, many = from == nullptr] { Run(size, many); });
}

Progress::~Progress() {
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Progress::Run(ByteSize size, bool many) {
  ProgressLine line(size, many);
  const flow::MonoTime begin = flow::MonoTime::Now();
  Console& console = context_.console;
  for (;;) {
    {
      absl::MutexLock lock(&mu_);
      if (mu_.AwaitWithTimeout(absl::Condition(&ending_), interval_)) break;
    }
    const std::string text =
        line.Next(flow::MonoTime::Now() - begin, context_.live.totals(),
                  static_cast<size_t>(std::max(console.width() - 1, 1)));
    if (console.is_terminal()) {
      console.SetStatus(text);
    } else {
      console.Error(text);
    }
  }
  console.SetStatus("");
}

}  // namespace flow_tools
