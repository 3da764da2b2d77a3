// flowcat: the command line of flow. What it does is in manual.cc; this file
// takes the command line apart and hands it to the command.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/net/schemes.h"
#include "flow/tls/tls_schemes.h"
#include "tools/flowcat/args.h"
#include "tools/flowcat/bench.h"
#include "tools/flowcat/console.h"
#include "tools/flowcat/context.h"
#include "tools/flowcat/demo.h"
#include "tools/flowcat/echo.h"
#include "tools/flowcat/exit_code.h"
#include "tools/flowcat/live.h"
#include "tools/flowcat/manual.h"
#include "tools/flowcat/notify.h"
#include "tools/flowcat/probe.h"
#include "tools/flowcat/service.h"
#include "tools/flowcat/session.h"
#include "tools/flowcat/settings.h"
#include "tools/flowcat/stop_signals.h"

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

// What the words ask for.
struct Job {
  const CommandText* command = nullptr;
  std::vector<std::string> words;  // behind the command
};

Job JobOf(std::vector<std::string> words) {
  Job job;
  job.command = words.empty() ? FindCommand("demo") : FindCommand(words[0]);
  if (job.command == nullptr) {
    job.command = &Commands()[0];
  } else if (!words.empty()) {
    words.erase(words.begin());
  }
  job.words = std::move(words);
  return job;
}

absl::Status CheckFlags(const Job& job, const std::vector<std::string>& flags) {
  for (const std::string& name : flags) {
    const FlagText* const flag = FindFlagText(name);
    if (flag == nullptr || (flag->commands & job.command->command) != 0) {
      continue;
    }
    std::vector<std::string> fit;
    for (const CommandText& command : Commands()) {
      if ((flag->commands & command.command) == 0) continue;
      fit.push_back(absl::StrCat("flowcat ", command.name));
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "flag --", flag->name, " is for ", absl::StrJoin(fit, ", ")));
  }
  return absl::OkStatus();
}

bool Has(const std::vector<std::string>& flags, absl::string_view name) {
  return std::find(flags.begin(), flags.end(), name) != flags.end();
}

// What can't go together.
absl::Status CheckServing(const Settings& settings,
                          const std::vector<std::string>& flags,
                          const End& from, const End& to) {
  if (!settings.serve) {
    if (!Has(flags, "max_connections")) return absl::OkStatus();
    return absl::InvalidArgumentError("--max-connections needs --serve");
  }
  if (!from.address.listens()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--serve needs a FROM that listens, which ", from.name, " does not"));
  }
  using S = flow::Address::Scheme;
  if (to.address.listens() || to.is_stdio() || to.address.scheme == S::kFd) {
    return absl::InvalidArgumentError(
        absl::StrCat("with --serve TO is opened for each connection, which ",
                     to.name, " can't be"));
  }
  return absl::OkStatus();
}

ExitCode RunDemoAndReport(const Context& context) {
  DemoOptions options;
  options.cancel = context.signals.cut();
  if (context.settings.timeout != absl::InfiniteDuration()) {
    options.timeout = context.settings.timeout;
  }
  if (!context.settings.quiet) options.progress = &std::cerr;
  options.progress_on_terminal = context.console.is_terminal();
  const absl::StatusOr<DemoResult> result = RunDemo(options);
  if (!result.ok()) {
    context.console.Error(
        absl::StrCat("demo: FAILED: ", result.status().ToString()));
    return kExitRelay;
  }
  std::cout << DescribeDemo(*result) << std::flush;
  return kExitOk;
}

ExitCode PrintText(const Job& job) {
  const absl::string_view what = job.command->name;
  if (what == "man") {
    std::cout << ManPage();
  } else if (what == "completion") {
    std::cout << BashCompletion();
  } else {
    const CommandText* const command =
        job.words.empty() ? nullptr : FindCommand(job.words[0]);
    if (!job.words.empty() && command == nullptr) {
      return UsageError(absl::StrCat("there is no command of that name"));
    }
    std::cout << HelpText(command == nullptr ? kRelay : command->command);
  }
  std::cout << std::flush;
  return kExitOk;
}

// What is under way has so much time after the first signal.
Grace GraceOf(const Settings& settings, const Job& job, bool serves,
              const LiveConnections& live) {
  // A server's own drain decides.
  if (serves) return {absl::InfiniteDuration()};
  if (settings.drain.has_value()) return {*settings.drain};
  const Command command = job.command->command;
  if (command != kRelay && command != kChaos) return {absl::ZeroDuration()};
  return {kServiceDrain, [&live] {
            const LiveConnections::Totals totals = live.totals();
            return totals.forward + totals.back;
          }};
}

// The ends that the command takes, as many as it takes.
absl::StatusOr<std::vector<End>> EndsOf(const Job& job,
                                        const Settings& settings,
                                        const flow::Schemes& schemes) {
  size_t wanted = 0;
  switch (job.command->command) {
    case kRelay:
    case kChaos: {
      absl::StatusOr<std::pair<End, End>> ends = ParseEnds(job.words, &schemes);
      if (!ends.ok()) return ends.status();
      return std::vector<End>{ends->first, ends->second};
    }
    case kEcho:
    case kProbe:
      wanted = 1;
      break;
    case kBench:
      wanted = settings.self ? 0 : 1;
      break;
    case kDemo:
    case kPrint:
    case kAll:
      break;
  }
  if (job.words.size() != wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("flowcat ", job.command->name, " takes ",
                     wanted == 0 ? "no address" : "one address", ", but got ",
                     job.words.size()));
  }
  std::vector<End> ends;
  for (const std::string& word : job.words) {
    absl::StatusOr<End> end = ParseEnd(word, &schemes);
    if (!end.ok()) return end.status();
    ends.push_back(*std::move(end));
  }
  return ends;
}

ExitCode Run(const Context& context, const Job& job,
             const std::vector<End>& ends) {
  switch (job.command->command) {
    case kRelay:
    case kChaos:
      return context.settings.serve ? RunService(context, ends[0], ends[1])
                                    : RunSession(context, ends[0], ends[1]);
    case kEcho:
      return RunEcho(context, ends[0]);
    case kProbe:
      return RunProbe(context, ends[0]);
    case kBench:
      return RunBench(context, ends.empty() ? nullptr : &ends[0]);
    case kDemo:
      return RunDemoAndReport(context);
    case kPrint:
    case kAll:
      break;
  }
  return PrintText(job);
}

// Everything is known to make sense.
int RunWithSignals(const Settings& settings, const flow::Schemes& schemes,
                   const Job& job, const std::vector<End>& ends,
                   bool stdio_is_open) {
  const Notifier notifier;
  Console console(settings.quiet);
  LiveConnections live;
  const bool serves = settings.serve || (job.command->command == kEcho &&
                                         ends[0].address.listens());
  const StopSignals signals(
      GraceOf(settings, job, serves, live), [&console, &live] {
        const std::string table = live.Table();
        console.Error(absl::string_view(table).substr(0, table.size() - 1));
      });
  const Context context = {settings, schemes,  console,      live,
                           signals,  notifier, stdio_is_open};
  const ExitCode code = Run(context, job, ends);
  if (signals.caught() == 0 || code == kExitOk) return code;
  if (serves && !signals.hurried()) return code;
  return 128 + signals.caught();
}

int Main(absl::Span<const char* const> args) {
  const bool stdio_is_open = FillStandardFds();
  absl::StatusOr<CommandLine> words = ParseFlags(args);
  if (!words.ok()) return UsageError(words.status().message());
  const Job job = JobOf(std::move(words->words));
  if (VersionWanted()) {
    std::cout << "flowcat " << kVersion << std::endl;
    return kExitOk;
  }
  if (HelpWanted()) {
    std::cout << HelpText(args.size() > 1 ? job.command->command : kRelay)
              << std::flush;
    return kExitOk;
  }
  if (job.command->command == kPrint) return PrintText(job);
  absl::StatusOr<Settings> settings = SettingsFromFlags();
  if (!settings.ok()) return UsageError(settings.status().message());
  absl::Status status = CheckFlags(job, words->flags);
  flow::Schemes schemes;
  if (status.ok()) status = flow::AddTlsSchemes(schemes);
  if (!status.ok()) return UsageError(status.message());
  absl::StatusOr<std::vector<End>> ends = EndsOf(job, *settings, schemes);
  if (!ends.ok()) return UsageError(ends.status().message());
  settings->chaos = job.command->command == kChaos;
  if (ends->size() == 2) {
    status = CheckServing(*settings, words->flags, (*ends)[0], (*ends)[1]);
    if (!status.ok()) return UsageError(status.message());
  }
  if (!EnterCallersFolder()) return kExitOpen;
  return RunWithSignals(*settings, schemes, job, *ends, stdio_is_open);
}

}  // namespace
}  // namespace flow_tools

int main(int argc, char** argv) {
  return flow_tools::Main(absl::MakeConstSpan(argv + 1, argv + argc));
}
