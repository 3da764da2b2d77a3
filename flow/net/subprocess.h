// File: subprocess.h
//
// Subprocess: another program, and flows to and from it.
//
//   absl::StatusOr<flow::Subprocess> sort = flow::Spawn({"sort", "-r"});
//   if (!sort.ok()) return sort.status();          // NOT_FOUND: no such
//   program sort->stdin_flow().Write("a\nb\n", absl::Seconds(5));
//   sort->stdin_flow().Close();                    // its end of input
//   auto sorted = sort->stdout_flow().Read(absl::Seconds(5));
//   absl::StatusOr<flow::ExitStatus> end = sort->Wait(absl::Seconds(5));
//
// (Also known as: popen, fork and exec, child process.)
//
// What the program gets: stdin, stdout and stderr as the options say, the
// descriptors in `pass`, and no other one, whatever this process and its
// libraries have open. No signal is blocked or ignored. Environment, folder and
// umask are this process's unless the options say otherwise. Between fork and
// exec only async-signal-safe calls are made, so that programs with any number
// of threads may call Spawn from any of them.
//
// What ends what:
// - Wait waits for the program alone, not for the end of its output: a process
//   that it has left behind may hold its stdout or stderr open for ever. Then
//   Wait returns at once, and a Read goes on until *that* process has closed
//   it: read with a limit.
// - Eof on stdout_flow() is the end of the output, not of the program.
// - Writes to a program that has ended are refused: *closed by peer*. No
//   SIGPIPE.
// - Who writes much and reads much does so in two threads: a program that waits
//   for its output to be read does not read its input.
// - Dropping a Subprocess closes its flows and does not wait. Without
//   `kill_on_close` the program lives on; with it, it is killed (SIGKILL; with
//   `own_group` or `own_session` all of its group). Either way it is reaped,
//   in the background if need be, by one thread that is there only as long as
//   such programs are. No zombie stays.
//
// Nobody else's child is ever waited for, and no handler for SIGCHLD is set. A
// program that itself waits for any child, or ignores SIGCHLD, takes the ends
// away: Wait then says INTERNAL (ECHILD). Waiting sleeps on a pidfd
// (Linux 5.3), which is close-on-exec; where there is none, the end is asked
// for ten times a second.
//
// Guarantees: every method may be called from any thread at any time, but Spawn
// reads the environment, and must not race with setenv(3). Destroying or moving
// the Subprocess must not race with calls that *begin*,
// those that wait go on waiting for the end. After fork without exec the child
// may only destroy its copies, which does nothing to the program.

#ifndef FLOW_NET_SUBPROCESS_H_
#define FLOW_NET_SUBPROCESS_H_

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/exit_status.h"
#include "flow/sys/syscalls.h"

namespace flow {

namespace internal {
class ChildProcess;
struct SubprocessAccess;
}  // namespace internal

// What a standard stream of the program is.
enum class ChildStream : uint8_t {
  kFlow,     // a pipe; its other end is a flow of the Subprocess
  kInherit,  // this process's; /dev/null if that is closed
  kNull,     // /dev/null
  kStdout,   // for stderr alone: wherever stdout goes
};
// "flow", "inherit", "null", "stdout"
absl::string_view ChildStreamName(ChildStream stream);
std::ostream& operator<<(std::ostream& os, ChildStream stream);
template <typename Sink>
void AbslStringify(Sink& sink, ChildStream stream) {
  sink.Append(ChildStreamName(stream));
}

// How a program is started.
struct SpawnOptions {
  // Makes the system calls of Spawn and of the flows, and the waits; null is
  // the real kernel. Must outlive them.
  Syscalls* sys = nullptr;

  // What each of the program's standard streams is.
  ChildStream stdin_stream = ChildStream::kFlow;
  ChildStream stdout_stream = ChildStream::kFlow;
  ChildStream stderr_stream = ChildStream::kInherit;
  // stdin and stdout as one flow, stdio_flow(), instead of two. Both have to be
  // kFlow.
  bool duplex = false;

  // More descriptors: {number here, number in the program}. They stay open
  // here. Numbers there are 3 and more, each once.
  std::vector<std::pair<int, int>> pass;

  // "NAME=value" each; nothing: this process's environment.
  std::optional<std::vector<std::string>> environment;
  // Where it starts; empty: where this process is. A name of a program with a
  // slash is looked for from there.
  std::string directory;
  // A name without a slash is looked for in PATH, which is that of the
  // program's environment; "/bin:/usr/bin" if it has none.
  bool search_path = true;

  // Dropping the Subprocess kills it.
  bool kill_on_close = false;
  // It leads a process group, and signals go to all of that. Such a program
  // stays a zombie until the Subprocess is dropped, so that the number of the
  // group stays its own. On a terminal it is in the background (SIGTTIN).
  bool own_group = false;
  // It leads a session without a terminal, and so a group: as above.
  bool own_session = false;

  // "duplex=yes, environment=(2 variables)": what differs from the defaults. No
  // value of a variable, which may be secret.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const SpawnOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const SpawnOptions& options) {
    return os << options.ToString();
  }
};

class Subprocess {
 public:
  // No program: the flows and Wait answer *closed locally*, Kill OK.
  Subprocess() = default;
  Subprocess(Subprocess&&) noexcept = default;
  Subprocess& operator=(Subprocess&& other) noexcept;
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;
  // As said above; never blocks.
  ~Subprocess();

  // Write to the first, read from the others; or both on the last if `duplex`
  // was asked for. No flow (*closed locally*) where the stream is no kFlow.
  // May be moved out: they are flows like others.
  Flow& stdin_flow() { return in_; }
  Flow& stdout_flow() { return out_; }
  Flow& stderr_flow() { return err_; }
  Flow& stdio_flow() { return both_; }

  // Waits for the end of the program, and says how it ended, to all who ask, as
  // often as they ask. DEADLINE_EXCEEDED, CANCELLED: by `limits`; it runs on.
  [[nodiscard]] absl::StatusOr<ExitStatus> Wait(const Limits& limits = {});

  // Sends `signal` to it, or to its whole group. OK also if it has ended; never
  // reaches anybody else.
  absl::Status Kill(int signal = SIGKILL);

  // Its number; -1 if there is none. Once it was waited for, the number may be
  // another's.
  pid_t pid() const;

  // Whether there is a program.
  explicit operator bool() const { return child_ != nullptr; }

  // "process 12"; "no process".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Subprocess& child) {
    sink.Append(child.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Subprocess& child) {
    return os << child.ToString();
  }

 private:
  friend struct internal::SubprocessAccess;

  Flow in_;
  Flow out_;
  Flow err_;
  Flow both_;
  std::shared_ptr<internal::ChildProcess> child_;
  bool kill_on_close_ = false;
};

// Starts the program argv[0] with the arguments `argv`. Returns when it runs;
// blocks for no longer than execve(2) does.
// NOT_FOUND: there is no such program (or interpreter of a script, or
// `directory`). PERMISSION_DENIED: it may not be executed. INVALID_ARGUMENT: no
// name, a NUL in a text, a bad number in `pass`. RESOURCE_EXHAUSTED: no
// descriptors, memory or processes left. On every error nothing runs, and
// nothing is left open.
[[nodiscard]] absl::StatusOr<Subprocess> Spawn(
    const std::vector<std::string>& argv, const SpawnOptions& options = {});

// The same as one flow that owns the program: reads its stdout, writes to its
// stdin. Closing the flow drops the program as `kill_on_close` says; Abort
// kills it in any case. Sets `duplex`.
[[nodiscard]] absl::StatusOr<Flow> SpawnFlow(
    const std::vector<std::string>& argv, const SpawnOptions& options = {});

// That, of a program that runs already and has a stdio_flow().
// FAILED_PRECONDITION: it has none, or that has been used up.
[[nodiscard]] absl::StatusOr<Flow> IntoFlow(Subprocess process);

}  // namespace flow

#endif  // FLOW_NET_SUBPROCESS_H_
