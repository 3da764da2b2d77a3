#include "flow/testing/fd_guard.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/debugging/stacktrace.h"
#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "flow/testing/fd_guard_internal.h"

namespace flow_testing {
namespace {

constexpr int kNumbers = 65536;
constexpr int kDepth = 32;

struct Stack {
  void* frames[kDepth];
  int depth = 0;

  // From the caller's caller on.
  static Stack Here() {
    Stack stack;
    stack.depth = absl::GetStackTrace(stack.frames, kDepth, /*skip_count=*/2);
    return stack;
  }
  std::string ToString() const {
    std::string text;
    for (int i = 0; i < depth; ++i) {
      char name[512];
      // The call is before the address to which it returns.
      const bool known = absl::Symbolize(static_cast<char*>(frames[i]) - 1,
                                         name, sizeof(name));
      absl::StrAppend(&text, "  @ ",
                      absl::Hex(reinterpret_cast<uintptr_t>(frames[i])), " ",
                      known ? name : "(unknown)", "\n");
    }
    return text;
  }
};

struct Owner {
  Stack stack;
  pid_t process;
};

// By number. Never destroyed: flows may live longer than any static object.
struct Owners {
  absl::Mutex mu;
  // Written under mu. Looked at without it, by who only asks for null.
  std::atomic<Owner*> of[kNumbers];
};

Owners& AllOwners() {
  static Owners* const owners = new Owners();
  return *owners;
}

// The kernel's answer, not libc's: it holds between vfork and exec too.
pid_t ThisProcess() { return static_cast<pid_t>(syscall(SYS_getpid)); }

void Say(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(STDERR_FILENO, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

std::string FdOwner(int fd) {
  if (fd < 0 || fd >= kNumbers) return "";
  Owners& owners = AllOwners();
  absl::MutexLock lock(&owners.mu);
  const Owner* const owner = owners.of[fd].load(std::memory_order_acquire);
  return owner == nullptr ? "" : owner->stack.ToString();
}

namespace internal {

bool IsForeignClose(int fd) {
  if (fd < 0 || fd >= kNumbers) return false;
  Owners& owners = AllOwners();
  if (owners.of[fd].load(std::memory_order_acquire) == nullptr) return false;
  absl::MutexLock lock(&owners.mu);
  const Owner* const owner = owners.of[fd].load(std::memory_order_acquire);
  // In a child, that has descriptors of its own, by the same numbers.
  return owner != nullptr && owner->process == ThisProcess();
}

void CheckClose(int fd, const char* call) {
  if (!IsForeignClose(fd)) return;
  Say(absl::StrCat("fd_guard: ", call, "(", fd,
                   "), but a flow owns this descriptor\ntaken over at:\n",
                   FdOwner(fd), "closed at:\n", Stack::Here().ToString()));
  std::abort();
}

void CheckCloseRange(unsigned first, unsigned last, const char* call) {
  const unsigned end = std::min<unsigned>(last, kNumbers - 1);
  for (unsigned fd = first; fd <= end; ++fd) {
    CheckClose(static_cast<int>(fd), call);
  }
}

}  // namespace internal
}  // namespace flow_testing

// What flow/sys/unique_fd.cc calls if it is there.
extern "C" void flow_fd_guard_take(int fd) {
  if (fd < 0 || fd >= flow_testing::kNumbers) return;
  auto owner = std::make_unique<flow_testing::Owner>();
  owner->stack = flow_testing::Stack::Here();
  owner->process = flow_testing::ThisProcess();
  flow_testing::Owners& owners = flow_testing::AllOwners();
  absl::MutexLock lock(&owners.mu);
  // Taken twice is possible: who finds out refuses the second.
  delete owners.of[fd].exchange(owner.release(), std::memory_order_acq_rel);
}

extern "C" void flow_fd_guard_give(int fd) {
  if (fd < 0 || fd >= flow_testing::kNumbers) return;
  flow_testing::Owners& owners = flow_testing::AllOwners();
  absl::MutexLock lock(&owners.mu);
  delete owners.of[fd].exchange(nullptr, std::memory_order_acq_rel);
}
