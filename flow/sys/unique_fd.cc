#include "flow/sys/unique_fd.h"

#include <cerrno>

#include "flow/sys/syscalls.h"

namespace flow {

int UniqueFd::reset() {
  const int fd = release();
  if (fd < 0) return 0;
  Syscalls* sys = sys_ != nullptr ? sys_ : Syscalls::Real();
  const int saved = errno;  // destructors run between a failure and its report
  const int error = sys->Close(fd) == 0 ? 0 : errno;
  errno = saved;
  return error;
}

}  // namespace flow
