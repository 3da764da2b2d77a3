#include "flow/sys/processors.h"

#include <sched.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace flow {
namespace {

int Ask() {
  // A worker that is pinned to one processor says nothing of the process, nor
  // does a pinned first thread: both together are as near as the kernel lets us
  // come.
  cpu_set_t either;
  CPU_ZERO(&either);
  for (const pid_t thread : {getpid(), pid_t{0}}) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(thread, sizeof(set), &set) == 0) {
      CPU_OR(&either, &either, &set);
    } else if (errno == EINVAL) {
      // The kernel knows more processors than the set has room for.
      return CPU_SETSIZE;
    }
  }
  return std::max(CPU_COUNT(&either), 1);
}

}  // namespace

int Processors() {
  static const int processors = Ask();
  return processors;
}

}  // namespace flow
