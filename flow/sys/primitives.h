// File: primitives.h (internal)
//
// The primitives that the protocol of entering, leaving, sleeping, waking and
// closing is built of (flow/core.h, flow/signal.h, flow/cancel.h): std::atomic
// and absl::Mutex. They have names of ours so that a test can compile the same
// source with others, which stop before every access and let every order of the
// threads be tried (flow/testing/interleaving.h): it names the file that has
// them by the macro FLOW_PRIMITIVES. Nothing else ever sets it.
//
// What decides nothing, such as statistics, uses std::atomic directly.

#ifndef FLOW_SYS_PRIMITIVES_H_
#define FLOW_SYS_PRIMITIVES_H_

#ifdef FLOW_PRIMITIVES
#include FLOW_PRIMITIVES
#else

#include <atomic>

#include "absl/synchronization/mutex.h"

namespace flow {
namespace internal {

template <typename T>
using Atomic = std::atomic<T>;
using Mutex = absl::Mutex;
using MutexLock = absl::MutexLock;

}  // namespace internal
}  // namespace flow

#endif  // FLOW_PRIMITIVES

#endif  // FLOW_SYS_PRIMITIVES_H_
