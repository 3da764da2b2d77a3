// The calls of libc that fd_guard stands in for. A program's own definition
// comes before that of a library; what it hides is asked for by name.

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>

#include "flow/testing/fd_guard_internal.h"

using flow_testing::internal::CheckClose;
using flow_testing::internal::CheckCloseRange;

// A sanitizer's own stand-ins, where there is one: it wants to know too.
extern "C" {
__attribute__((weak)) int __interceptor_close(int fd);
__attribute__((weak)) int __interceptor_dup2(int from, int to);
__attribute__((weak)) int __interceptor_dup3(int from, int to, int flags);
__attribute__((weak)) int __interceptor_fclose(FILE* stream);
}

namespace {

// close_range(2): only marks, or only for a table of its own.
constexpr int kUnshare = 2;
constexpr int kCloexec = 4;

template <typename Function>
Function Real(Function sanitizers, const char* name) {
  if (sanitizers != nullptr) return sanitizers;
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int close(int fd) {
  static int (*const real)(int) = Real(&__interceptor_close, "close");
  CheckClose(fd, "close");
  return real(fd);
}

extern "C" int dup2(int from, int to) noexcept {
  static int (*const real)(int, int) = Real(&__interceptor_dup2, "dup2");
  if (from != to) CheckClose(to, "dup2");
  return real(from, to);
}

extern "C" int dup3(int from, int to, int flags) noexcept {
  static int (*const real)(int, int, int) = Real(&__interceptor_dup3, "dup3");
  CheckClose(to, "dup3");
  return real(from, to, flags);
}

extern "C" int fclose(FILE* stream) {
  static int (*const real)(FILE*) = Real(&__interceptor_fclose, "fclose");
  CheckClose(fileno(stream), "fclose");
  return real(stream);
}

extern "C" int close_range(unsigned first, unsigned last, int flags) noexcept {
  static int (*const real)(unsigned, unsigned, int) =
      Real<int (*)(unsigned, unsigned, int)>(nullptr, "close_range");
  if ((flags & (kUnshare | kCloexec)) == 0) {
    CheckCloseRange(first, last, "close_range");
  }
  return real(first, last, flags);
}

extern "C" void closefrom(int first) noexcept {
  static void (*const real)(int) = Real<void (*)(int)>(nullptr, "closefrom");
  CheckCloseRange(first < 0 ? 0 : static_cast<unsigned>(first), ~0u,
                  "closefrom");
  real(first);
}
