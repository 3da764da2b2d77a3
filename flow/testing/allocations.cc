#include "flow/testing/allocations.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "absl/base/config.h"

namespace flow_testing {
namespace {

// Plain values: they exist before any constructor runs.
thread_local int64_t of_this_thread = 0;
std::atomic<int64_t> of_all{0};

void* Allocate(size_t size) {
  void* const block = std::malloc(size > 0 ? size : 1);
  if (block == nullptr) std::abort();
  ++of_this_thread;
  of_all.fetch_add(1, std::memory_order_relaxed);
  return block;
}

}  // namespace

bool AllocationsAreCounted() {
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || \
    defined(ABSL_HAVE_THREAD_SANITIZER) || defined(ABSL_HAVE_MEMORY_SANITIZER)
  return false;
#else
  return true;
#endif
}

int64_t ThreadAllocations() { return of_this_thread; }
int64_t ProcessAllocations() { return of_all.load(std::memory_order_relaxed); }

}  // namespace flow_testing

// The other forms end in these.
void* operator new(size_t size) { return flow_testing::Allocate(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t /*size*/) noexcept {
  std::free(block);
}
