// File: child.h (internal)
//
// What a new process is to be before it becomes another program: the plan that
// Syscalls::StartChild carries out, and what of it failed.
//
// Between fork and exec a child of a program with several threads may call
// nothing but async-signal-safe functions: any lock, the allocator's too, may
// be held by a thread that is not there. So everything that takes memory is
// made before, here, and what runs in the child is plain kernel calls in one
// small file (flow/sys/syscalls_child.cc). They don't go through the virtuals
// of Syscalls one by one, since a test's fake must not run there either.

#ifndef FLOW_SYS_CHILD_H_
#define FLOW_SYS_CHILD_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace flow {

// What the child was doing when it failed.
enum class ChildStep : uint8_t {
  kNone,
  kPipe,         // making the pipe that failures are told by
  kFork,         // coming into being
  kSession,      // setsid, setpgid
  kTerminal,     // making the terminal its own
  kDescriptors,  // giving its descriptors their numbers
  kDirectory,    // chdir
  kExec,         // becoming the program
};
// The kernel call: "exec", "chdir", ...
absl::string_view ChildStepName(ChildStep step);

struct ChildFailure {
  ChildStep step = ChildStep::kNone;
  int error = 0;
};

// Pointers are the caller's and outlive the call.
struct ChildPlan {
  // In the child, `number` is what `from` is here.
  struct Descriptor {
    int from = -1;
    int number = -1;
  };

  // What to execute: the first of these that is there and may be.
  absl::Span<const char* const> paths;
  // As of execve(2), ended by null.
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  // All that the child has: sorted by number, none twice. `from` is changed.
  absl::Span<Descriptor> descriptors;
  // Where it starts; null: where this process is.
  const char* directory = nullptr;
  bool own_group = false;    // leads a process group
  bool own_session = false;  // leads a session, and so a group
  int terminal = -1;         // what its session's terminal is to be
  // For tests: does without close_range(2), as kernels before 5.11 do.
  bool without_close_range = false;
};

}  // namespace flow

#endif  // FLOW_SYS_CHILD_H_
