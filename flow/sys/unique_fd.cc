#include "flow/sys/unique_fd.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/sys/syscalls.h"

// Defined by //flow/testing:fd_guard alone, so null elsewhere: no state of
// ours, and one look at a constant for each descriptor.
extern "C" {
__attribute__((weak)) void flow_fd_guard_take(int fd);
__attribute__((weak)) void flow_fd_guard_give(int fd);
}

namespace flow {

UniqueFd::UniqueFd(int fd, Syscalls* sys) : fd_(fd), sys_(sys) {
  if (&flow_fd_guard_take != nullptr && fd >= 0) flow_fd_guard_take(fd);
}

int UniqueFd::release() {
  const int fd = std::exchange(fd_, -1);
  if (&flow_fd_guard_give != nullptr && fd >= 0) flow_fd_guard_give(fd);
  return fd;
}

int UniqueFd::reset() {
  const int fd = release();
  if (fd < 0) return 0;
  Syscalls* sys = sys_ != nullptr ? sys_ : Syscalls::Real();
  const int saved = errno;  // destructors run between a failure and its report
  const int error = sys->Close(fd) == 0 ? 0 : errno;
  errno = saved;
  return error;
}

std::string UniqueFd::ToString() const {
  return fd_ < 0 ? "no fd" : absl::StrCat("fd ", fd_);
}

}  // namespace flow
