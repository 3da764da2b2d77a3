#include "flow/sys/fork_generation.h"

#include <pthread.h>

#include <atomic>

namespace flow {
namespace {

std::atomic<uint32_t> generation{0};

void CountFork() { generation.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

uint32_t ForkGeneration() {
  // pthread_atfork fails only for want of memory, at which the process is lost
  // anyway.
  static const int registered =
      pthread_atfork(/*prepare=*/nullptr, /*parent=*/nullptr, &CountFork);
  static_cast<void>(registered);
  return generation.load(std::memory_order_relaxed);
}

}  // namespace flow
