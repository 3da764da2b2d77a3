// Syscalls::StartChild: what runs between fork and exec (flow/sys/child.h says
// why it is apart). Everything below RunChild is async-signal-safe.
//
// The child is made by vfork: it borrows this process's memory and the calling
// thread stands still until it has executed the program. That is quick also
// from a process of many gigabytes, and runs no pthread_atfork handler of
// others. All signals are blocked meanwhile, so that no handler runs in the
// child. Where vfork is an ordinary fork (under ThreadSanitizer), the pipe
// tells the failure.

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/base/attributes.h"
#include "flow/sys/child.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace {

// How the child tells that it failed.
struct Report {
  // Written by a child that shares our memory.
  volatile bool memory_is_shared = false;
  volatile ChildStep step = ChildStep::kNone;
  volatile int error = 0;
  // For one that doesn't. Close-on-exec: success is its end.
  int pipe = -1;
};

// ---------------------------------------------------------------- In the
// child.

bool IsWanted(const ChildPlan& plan, int fd) {
  return std::any_of(plan.descriptors.begin(), plan.descriptors.end(),
                     [fd](const ChildPlan::Descriptor& descriptor) {
                       return descriptor.number == fd;
                     });
}

void CloseOnExec(const ChildPlan& plan, int fd) {
  if (!IsWanted(plan, fd)) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

#ifdef SYS_close_range
bool CloseRangeOnExec(unsigned first, unsigned last) {
  constexpr unsigned kCloexec = 4;  // CLOSE_RANGE_CLOEXEC, Linux 5.11
  return ::syscall(SYS_close_range, first, last, kCloexec) == 0;
}
#else
bool CloseRangeOnExec(unsigned, unsigned) { return false; }
#endif

bool CloseGapsOnExec(const ChildPlan& plan) {
  unsigned first = 0;
  for (const ChildPlan::Descriptor& descriptor : plan.descriptors) {
    const auto number = static_cast<unsigned>(descriptor.number);
    if (number > first && !CloseRangeOnExec(first, number - 1)) return false;
    first = number + 1;
  }
  return CloseRangeOnExec(first, UINT_MAX);
}

// By the list that the kernel keeps. (opendir(3) allocates.)
bool CloseListedOnExec(const ChildPlan& plan) {
#ifdef SYS_getdents64
  const int folder =
      ::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return false;
  // struct linux_dirent64: inode and offset (8 bytes each), length of the
  // record (2), type (1), name.
  constexpr int kLengthAt = 16;
  constexpr int kNameAt = 19;
  alignas(8) char entries[2048];
  for (;;) {
    const long size =
        ::syscall(SYS_getdents64, folder, entries, sizeof(entries));
    if (size <= 0) return size == 0;
    for (long at = 0; at < size;) {
      uint16_t length;
      std::memcpy(&length, entries + at + kLengthAt, sizeof(length));
      const char* name = entries + at + kNameAt;
      int fd = 0;
      for (; *name >= '0' && *name <= '9'; ++name) fd = fd * 10 + (*name - '0');
      if (*name == '\0') CloseOnExec(plan, fd);  // not "." and ".."
      at += length;
    }
  }
#else
  static_cast<void>(plan);
  return false;
#endif
}

// Whatever the program that this process is has open besides, also what
// somebody forgot to make close-on-exec: it must not reach the child's program.
void CloseOthersOnExec(const ChildPlan& plan) {
  if (!plan.without_close_range && CloseGapsOnExec(plan)) return;
  if (CloseListedOnExec(plan)) return;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto end = static_cast<int>(std::min(limit.rlim_cur, rlim_t{1} << 20));
  for (int fd = 0; fd < end; ++fd) CloseOnExec(plan, fd);
}

// 0, or an errno.
int GiveNumbers(const ChildPlan& plan, int& pipe) {
  int highest = -1;
  for (const ChildPlan::Descriptor& descriptor : plan.descriptors) {
    highest = std::max(highest, descriptor.number);
  }
  // Out of the way first: what is one's number may be another's source.
  if (pipe <= highest) {
    pipe = ::fcntl(pipe, F_DUPFD_CLOEXEC, highest + 1);
    if (pipe < 0) return errno;
  }
  for (ChildPlan::Descriptor& descriptor : plan.descriptors) {
    if (descriptor.from > highest) continue;
    descriptor.from = ::fcntl(descriptor.from, F_DUPFD_CLOEXEC, highest + 1);
    if (descriptor.from < 0) return errno;
  }
  for (const ChildPlan::Descriptor& descriptor : plan.descriptors) {
    while (::dup2(descriptor.from, descriptor.number) < 0) {
      // "Busy": another thread was opening that number (dup(2)).
      if (errno != EINTR && errno != EBUSY) return errno;
    }
  }
  CloseOthersOnExec(plan);
  return 0;
}

// Signals as a program expects them at its start: none blocked, none ignored,
// and no handler of this program's in between.
void ResetSignals() {
#ifdef SYS_rt_sigaction
  // Not by sigaction(3), which refuses the C library's own two signals: they
  // may have been inherited ignored. All zero is SIG_DFL; a kernel's signal
  // set has a bit for each of NSIG - 1 signals.
  alignas(8) const char standard[64] = {};
  for (int signal = 1; signal < NSIG; ++signal) {
    ::syscall(SYS_rt_sigaction, signal, standard, nullptr, (NSIG - 1) / 8);
  }
#else
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    ::sigaction(signal, &standard, nullptr);
  }
#endif
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// What execvp(3) does about each of the places where a program may be.
int Execute(const ChildPlan& plan) {
  int refused = ENOENT;
  for (const char* path : plan.paths) {
    ::execve(path, plan.argv, plan.environment);
    switch (errno) {
      case EACCES:
        refused = EACCES;
        break;
      case ENOENT:
      case ENOTDIR:
      case ENAMETOOLONG:
      case ESTALE:
      case ENODEV:
      case ETIMEDOUT:
        break;
      default:
        return errno;
    }
  }
  return refused;
}

ChildFailure Become(const ChildPlan& plan, int& pipe) {
  if (plan.own_session && ::setsid() < 0) return {ChildStep::kSession, errno};
  if (plan.own_group && !plan.own_session && ::setpgid(0, 0) != 0) {
    return {ChildStep::kSession, errno};
  }
  if (plan.terminal >= 0 && ::ioctl(plan.terminal, TIOCSCTTY, 0) != 0) {
    return {ChildStep::kTerminal, errno};
  }
  if (const int error = GiveNumbers(plan, pipe); error != 0) {
    return {ChildStep::kDescriptors, error};
  }
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) {
    return {ChildStep::kDirectory, errno};
  }
  ResetSignals();
  return {ChildStep::kExec, Execute(plan)};
}

[[noreturn]] void RunChild(const ChildPlan& plan, Report& report) {
  report.memory_is_shared = true;
  int pipe = report.pipe;
  const ChildFailure failure = Become(plan, pipe);
  report.step = failure.step;
  report.error = failure.error;
  while (::write(pipe, &failure, sizeof(failure)) < 0 && errno == EINTR) {
  }
  ::_exit(127);
}

// --------------------------------------------------------------- In the
// parent.

// Apart and with nothing of its own, since its frame is left twice.
ABSL_ATTRIBUTE_NOINLINE pid_t Fork(const ChildPlan& plan, Report& report) {
  const pid_t pid =
      ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  // What it calls is async-signal-safe, and it never returns.
  // NOLINTNEXTLINE(clang-analyzer-unix.Vfork)
  if (pid == 0) RunChild(plan, report);
  return pid;
}

// What the child says once it is the program, or has failed.
ChildFailure Hear(const Report& report, int pipe) {
  // Not from the pipe if there is another way: a process that another thread
  // has just forked off may hold its other end.
  if (report.memory_is_shared) return {report.step, report.error};
  ChildFailure failure;
  for (;;) {
    const ssize_t n = ::read(pipe, &failure, sizeof(failure));
    if (n < 0 && errno == EINTR) continue;
    return n == static_cast<ssize_t>(sizeof(failure)) ? failure
                                                      : ChildFailure();
  }
}

}  // namespace

absl::string_view ChildStepName(ChildStep step) {
  switch (step) {
    case ChildStep::kNone:
      return "none";
    case ChildStep::kPipe:
      return "pipe";
    case ChildStep::kFork:
      return "fork";
    case ChildStep::kSession:
      return "setsid";
    case ChildStep::kTerminal:
      return "ioctl(TIOCSCTTY)";
    case ChildStep::kDescriptors:
      return "dup2";
    case ChildStep::kDirectory:
      return "chdir";
    case ChildStep::kExec:
      return "exec";
  }
  return "unknown";
}

pid_t Syscalls::StartChild(const ChildPlan& plan, ChildFailure* failure) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    *failure = {ChildStep::kPipe, errno};
    return -1;
  }
  Report report;
  report.pipe = pipe[1];
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = Fork(plan, report);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(pipe[1]);
  *failure =
      pid < 0 ? ChildFailure{ChildStep::kFork, error} : Hear(report, pipe[0]);
  ::close(pipe[0]);
  if (failure->step == ChildStep::kNone) return pid;
  // It is about to end, if not over already.
  while (pid > 0 && ::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return -1;
}

}  // namespace flow
