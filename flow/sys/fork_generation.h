// File: fork_generation.h
//
// How often this process has been forked off without exec. What belongs to the
// parent's threads (wakers, pollers, held mutexes) must not be touched in the
// child: [run] a child's write to an inherited eventfd wakes the parent.

#ifndef FLOW_SYS_FORK_GENERATION_H_
#define FLOW_SYS_FORK_GENERATION_H_

#include <cstdint>

namespace flow {

// 0 in a process that was started by exec, one more in each forked child of a
// process that had called this before. Never blocks; any thread.
uint32_t ForkGeneration();

}  // namespace flow

#endif  // FLOW_SYS_FORK_GENERATION_H_
