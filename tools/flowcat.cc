// flowcat: the command line of flow. What it does is in flowcat_help.h; how, in
// flowcat_session.h.

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/limits.h"
#include "flow/net/schemes.h"
#include "flow/sys/mono_time.h"
#include "flow/tls/tls_schemes.h"
#include "tools/demo.h"
#include "tools/flowcat_args.h"
#include "tools/flowcat_help.h"
#include "tools/flowcat_session.h"
#include "tools/stop_signals.h"

ABSL_FLAG(absl::Duration, timeout, absl::InfiniteDuration(),
          "How long all of it may take.");
ABSL_FLAG(absl::Duration, connect_timeout, absl::InfiniteDuration(),
          "How long connecting to an end may take.");
ABSL_FLAG(bool, quiet, false, "Nothing on standard error but errors.");
ABSL_FLAG(bool, help, false, "Prints how to use it.");

namespace flow_tools {
namespace {

ExitCode UsageError(absl::string_view message) {
  std::cerr << "flowcat: " << message << "\nflowcat: try flowcat --help"
            << std::endl;
  return kExitUsage;
}

// An fd among 0 to 2 that is closed would be the number of the next socket, and
// messages would go to a peer. False if 0 or 1 was closed.
bool FillStandardFds() {
  bool stdio_is_open = true;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    if (fd != STDERR_FILENO) stdio_is_open = false;
    // The lowest number that is free, which is `fd`.
    if (open("/dev/null", O_RDWR) != fd) std::abort();
  }
  return stdio_is_open;
}

// `bazel run` starts programs somewhere in its own tree; paths mean the
// caller's folder.
bool EnterCallersFolder() {
  const char* const folder = std::getenv("BUILD_WORKING_DIRECTORY");
  if (folder == nullptr || chdir(folder) == 0) return true;
  std::cerr << "flowcat: cannot enter " << folder
            << " (BUILD_WORKING_DIRECTORY)" << std::endl;
  return false;
}

ExitCode RunDemoAndReport(const flow::CancelToken& cancel) {
  DemoOptions options;
  options.cancel = cancel;
  if (absl::GetFlag(FLAGS_timeout) != absl::InfiniteDuration()) {
    options.timeout = absl::GetFlag(FLAGS_timeout);
  }
  if (!absl::GetFlag(FLAGS_quiet)) options.progress = &std::cerr;
  options.progress_on_terminal = isatty(STDERR_FILENO) == 1;
  const absl::StatusOr<DemoResult> result = RunDemo(options);
  if (!result.ok()) {
    std::cerr << "flowcat demo: FAILED: " << result.status().ToString()
              << std::endl;
    return kExitRelay;
  }
  std::cout << DescribeDemo(*result) << std::flush;
  return kExitOk;
}

ExitCode Relay(std::pair<End, End> ends, const flow::Schemes& schemes,
               const flow::CancelToken& cancel, bool stdio_is_open) {
  SessionOptions options;
  options.schemes = &schemes;
  options.from = std::move(ends.first);
  options.to = std::move(ends.second);
  options.limits = flow::Limits(absl::GetFlag(FLAGS_timeout));
  options.limits.cancel = cancel;
  options.connect_timeout = absl::GetFlag(FLAGS_connect_timeout);
  options.quiet = absl::GetFlag(FLAGS_quiet);
  options.stdio_is_open = stdio_is_open;
  return RunSession(options, std::cerr);
}

int Main(absl::Span<const char* const> args) {
  const bool stdio_is_open = FillStandardFds();
  const absl::StatusOr<std::vector<std::string>> words = ParseFlags(args);
  if (!words.ok()) return UsageError(words.status().message());
  if (absl::GetFlag(FLAGS_help)) {
    std::cout << kFlowcatHelp << std::flush;
    return kExitOk;
  }
  if (absl::GetFlag(FLAGS_timeout) <= absl::ZeroDuration() ||
      absl::GetFlag(FLAGS_connect_timeout) <= absl::ZeroDuration()) {
    return UsageError("a timeout must be positive");
  }
  const bool demo = words->empty();
  absl::StatusOr<std::pair<End, End>> ends;
  flow::Schemes schemes;
  if (absl::Status s = flow::AddTlsSchemes(schemes); !s.ok()) {
    return UsageError(s.message());
  }
  if (!demo) ends = ParseEnds(*words, &schemes);
  if (!demo && !ends.ok()) return UsageError(ends.status().message());
  if (!EnterCallersFolder()) return kExitOpen;
  const StopSignals stop;
  const ExitCode code =
      demo ? RunDemoAndReport(stop.token())
           : Relay(*std::move(ends), schemes, stop.token(), stdio_is_open);
  return stop.caught() == 0 || code == kExitOk ? code : 128 + stop.caught();
}

}  // namespace
}  // namespace flow_tools

int main(int argc, char** argv) {
  return flow_tools::Main(absl::MakeConstSpan(argv + 1, argv + argc));
}
