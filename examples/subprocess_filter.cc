// subprocess_filter PROGRAM [ARGUMENT...]: passes its input through a program,
// and prints what comes out.
//
//   subprocess_filter sort -r <words
//
// The purpose: both directions of a program at once, so that neither waits for
// the other. It is no Relay: a program that wants no more input, such as head,
// has not failed, and its output counts. Exit code: the program's; 128 and
// more: a signal's; 125: it could not be run, or its output not be passed on.

#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/net/subprocess.h"
#include "flow/relay/relay.h"

namespace {

absl::StatusOr<flow::ExitStatus> Filter(const std::vector<std::string>& argv) {
  absl::StatusOr<flow::Flow> here = flow::Stdio();
  if (!here.ok()) return here.status();
  flow::SpawnOptions options;
  options.kill_on_close = true;
  absl::StatusOr<flow::Subprocess> program = flow::Spawn(argv, options);
  if (!program.ok()) return program.status();
  flow::CancelSource done;
  std::thread feeding([&] {
    flow::CopyOptions copying;
    copying.limits.cancel = done.token();
    // However it ends: the program has had its input, or wants none.
    static_cast<void>(flow::Copy(*here, program->stdin_flow(), copying));
    program->stdin_flow().Close().IgnoreError();
  });
  const flow::CopyResult out = flow::Copy(program->stdout_flow(), *here);
  // Nobody gets what it would print from now on.
  if (!out.ok()) program->Kill().IgnoreError();
  // One that has only closed its output may still want input.
  const absl::StatusOr<flow::ExitStatus> end = program->Wait();
  done.Cancel();  // nobody is left who would take more from a terminal
  feeding.join();
  return out.ok() ? end : out.status();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: subprocess_filter PROGRAM [ARGUMENT...]" << std::endl;
    return 125;
  }
  const absl::StatusOr<flow::ExitStatus> end =
      Filter(std::vector<std::string>(argv + 1, argv + argc));
  if (!end.ok()) {
    std::cerr << end.status() << std::endl;
    return 125;
  }
  return end->exited() ? end->code() : 128 + end->signal();
}
