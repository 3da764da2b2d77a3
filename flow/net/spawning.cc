#include "flow/net/spawning.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/fd/fd.h"
#include "flow/net/child_process.h"
#include "flow/net/child_streams.h"
#include "flow/net/subprocess_access.h"
#include "flow/status.h"
#include "flow/sys/child.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {
namespace {

// What the C library takes where there is no PATH, less the current folder.
constexpr char kStandardPath[] = "/bin:/usr/bin";

bool HasNul(absl::string_view text) {
  return absl::StrContains(text, absl::string_view("\0", 1));
}

absl::Status CheckTexts(const std::vector<std::string>& argv,
                        const SpawnOptions& options) {
  if (argv.empty() || argv[0].empty()) {
    return InvalidArgument("spawn() refused: no program is named");
  }
  const auto bad = std::find_if(argv.begin(), argv.end(), HasNul);
  if (bad != argv.end()) {
    return InvalidArgument(absl::StrCat("spawn() refused: argument ",
                                        bad - argv.begin(), " has a NUL"));
  }
  if (HasNul(options.directory)) {
    return InvalidArgument("spawn() refused: the folder's name has a NUL");
  }
  if (!options.environment.has_value()) return absl::OkStatus();
  for (const std::string& variable : *options.environment) {
    if (HasNul(variable) || !absl::StrContains(variable, '=')) {
      return InvalidArgument(
          "spawn() refused: a variable of the environment is not NAME=value");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckStreams(const SpawnOptions& options) {
  if (options.stdin_stream == ChildStream::kStdout ||
      options.stdout_stream == ChildStream::kStdout) {
    return InvalidArgument("spawn() refused: kStdout is for stderr alone");
  }
  if (options.duplex && (options.stdin_stream != ChildStream::kFlow ||
                         options.stdout_stream != ChildStream::kFlow)) {
    return InvalidArgument(
        "spawn() refused: `duplex` needs stdin and stdout to be kFlow");
  }
  return absl::OkStatus();
}

absl::Status CheckPassed(Syscalls* sys, const SpawnOptions& options) {
  std::vector<int> numbers;
  for (const auto& [from, number] : options.pass) {
    if (number < kStreams ||
        std::find(numbers.begin(), numbers.end(), number) != numbers.end()) {
      return InvalidArgument(
          absl::StrCat("spawn() refused: number ", number,
                       " for a descriptor is below 3 or given twice"));
    }
    numbers.push_back(number);
    if (sys->Fcntl(from, F_GETFD, 0) < 0) {
      return ErrnoStatus(errno, "spawn", absl::StrCat("passing fd ", from));
    }
  }
  return absl::OkStatus();
}

// Pointers to texts, ended by null, as execve(2) wants them.
std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));  // never written to
  }
  pointers.push_back(nullptr);
  return pointers;
}

// PATH of the program; this process's if it inherits the environment.
std::string PathOf(const SpawnOptions& options) {
  if (!options.environment.has_value()) {
    const char* const path = std::getenv("PATH");
    return path == nullptr ? kStandardPath : path;
  }
  for (const std::string& variable : *options.environment) {
    if (absl::StartsWith(variable, "PATH=")) return variable.substr(5);
  }
  return kStandardPath;
}

// Where the program may be, in order.
std::vector<std::string> PlacesOf(const std::string& name,
                                  const SpawnOptions& options) {
  if (!options.search_path || absl::StrContains(name, '/')) return {name};
  std::vector<std::string> places;
  for (const absl::string_view folder : absl::StrSplit(PathOf(options), ':')) {
    // An empty entry is the current folder (execvp(3)).
    places.push_back(absl::StrCat(folder.empty() ? "." : folder, "/", name));
  }
  return places;
}

absl::Status FailureOf(const ChildFailure& failure, const std::string& program,
                       const std::string& directory) {
  std::string context = absl::StrCat("spawning ", program);
  if (failure.step == ChildStep::kDirectory) {
    absl::StrAppend(&context, " in ", directory);
  }
  const absl::Status status =
      ErrnoStatus(failure.error, ChildStepName(failure.step), context);
  if (failure.step != ChildStep::kFork || failure.error != EAGAIN) {
    return status;
  }
  // fork(2): a limit on the number of processes.
  return MakeStatus(absl::StatusCode::kResourceExhausted, status.message(),
                    DetailOf(status).value_or(ErrorDetail()));
}

absl::StatusOr<pid_t> Start(Syscalls* sys, const std::vector<std::string>& argv,
                            const SpawnOptions& options,
                            const ChildStreams& streams, int terminal) {
  std::vector<ChildPlan::Descriptor> descriptors;
  descriptors.reserve(kStreams + options.pass.size());
  for (int i = 0; i < kStreams; ++i) {
    descriptors.push_back({streams.number(i), i});
  }
  for (const auto& [from, number] : options.pass) {
    descriptors.push_back({from, number});
  }
  std::sort(descriptors.begin(), descriptors.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  const std::vector<std::string> places = PlacesOf(argv[0], options);
  std::vector<const char*> paths;
  paths.reserve(places.size());
  for (const std::string& place : places) paths.push_back(place.c_str());
  const std::vector<char*> arguments = Pointers(argv);
  const std::vector<char*> variables =
      Pointers(options.environment.value_or(std::vector<std::string>()));

  ChildPlan plan;
  plan.paths = paths;
  plan.argv = arguments.data();
  plan.environment =
      options.environment.has_value() ? variables.data() : environ;
  plan.descriptors = absl::MakeSpan(descriptors);
  if (!options.directory.empty()) plan.directory = options.directory.c_str();
  plan.own_group = options.own_group;
  plan.own_session = options.own_session || terminal >= 0;
  plan.terminal = terminal;
  ChildFailure failure;
  const pid_t pid = sys->StartChild(plan, &failure);
  if (pid >= 0) return pid;
  return FailureOf(failure, argv[0], options.directory);
}

// Our end of a stream as a flow, with the program's name for its peer.
absl::StatusOr<Flow> FlowFor(Syscalls* sys, UniqueFd fd,
                             const std::string& peer) {
  if (!fd.valid()) return Flow();
  FdOptions options;
  options.sys = sys;
  options.peer = Endpoint::Named(peer);
  return Adopt(std::move(fd), options);
}

absl::Status MakeFlows(Syscalls* sys, const SpawnOptions& options,
                       const std::string& name, ChildStreams& streams,
                       SubprocessParts& parts) {
  if (options.duplex) {
    FdOptions both;
    both.sys = sys;
    both.peer = Endpoint::Named(name);
    absl::StatusOr<Flow> flow =
        Adopt(std::move(streams.ours(STDOUT_FILENO)),
              std::move(streams.ours(STDIN_FILENO)), both);
    if (!flow.ok()) return flow.status();
    parts.both = *std::move(flow);
  }
  Flow* const flows[kStreams] = {&parts.in, &parts.out, &parts.err};
  for (int i = 0; i < kStreams; ++i) {
    absl::StatusOr<Flow> flow =
        FlowFor(sys, std::move(streams.ours(i)),
                absl::StrCat(name, " ", kStreamNames[i]));
    if (!flow.ok()) return flow.status();
    *flows[i] = *std::move(flow);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Subprocess> SpawnWith(const std::vector<std::string>& argv,
                                     const SpawnOptions& options,
                                     Terminal* terminal) {
  Syscalls* const sys = options.sys != nullptr ? options.sys : Syscalls::Real();
  if (absl::Status s = CheckTexts(argv, options); !s.ok()) return s;
  if (absl::Status s = CheckPassed(sys, options); !s.ok()) return s;
  ChildStreams streams(sys);
  if (terminal != nullptr) {
    streams.Use(terminal->slave.get());
  } else {
    if (absl::Status s = CheckStreams(options); !s.ok()) return s;
    if (absl::Status s = streams.Open(options); !s.ok()) return s;
  }
  const absl::StatusOr<pid_t> pid =
      Start(sys, argv, options, streams,
            terminal != nullptr ? terminal->slave.get() : -1);
  if (!pid.ok()) return pid.status();
  // Or the end of the program's output would never be seen.
  streams.CloseTheirs();
  const std::string name = absl::StrCat(argv[0], "[", *pid, "]");
  SubprocessParts parts;
  parts.kill_on_close = options.kill_on_close;
  parts.child = std::make_shared<ChildProcess>(
      sys, *pid, name,
      options.own_group || options.own_session || terminal != nullptr);
  absl::Status made = absl::OkStatus();
  if (terminal != nullptr) {
    terminal->slave.reset();
    parts.both = std::move(terminal->master);
  } else {
    made = MakeFlows(sys, options, name, streams, parts);
  }
  // Nothing runs after an error.
  if (!made.ok()) parts.kill_on_close = true;
  Subprocess process = SubprocessAccess::Make(std::move(parts));
  if (!made.ok()) return made;
  return process;
}

}  // namespace internal
}  // namespace flow
