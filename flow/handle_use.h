// File: handle_use.h (internal)
//
// Asking the kernel something about the descriptor behind a flow, so that the
// number can't become another's meanwhile: Close waits, as for any call that is
// inside.

#ifndef FLOW_HANDLE_USE_H_
#define FLOW_HANDLE_USE_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

// Makes `call` with the flow's descriptor, which is native_handle()'s; it
// returns -1 with `errno` set if it fails, and must not block. `operation` is
// its name in messages. FAILED_PRECONDITION, *closed locally*: the flow is
// closed. UNIMPLEMENTED: there is no descriptor behind it, or there are two.
absl::Status UseHandle(const Flow& flow, absl::string_view operation,
                       absl::FunctionRef<int(Syscalls*, int)> call);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_HANDLE_USE_H_
