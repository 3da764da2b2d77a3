// File: socket_flow.h (internal)
//
// A flow on a connected socket whose maker knows all about it: what Adopt would
// ask the kernel for (some ten calls) is known to who has just connected or
// accepted it.

#ifndef FLOW_FD_SOCKET_FLOW_H_
#define FLOW_FD_SOCKET_FLOW_H_

#include "flow/adaptive_reads.h"
#include "flow/fd/fd_kind.h"
#include "flow/flow.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace internal {

// A flow that owns `fd`: a connected stream socket of `kind`, which was born
// non-blocking and close-on-exec and has no SO_LINGER. Neither blocks nor
// fails.
Flow FlowOnSocket(Syscalls* sys, UniqueFd fd, FdKind kind, FdNames names,
                  AdaptiveReads adaptive);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FD_SOCKET_FLOW_H_
