// File: copy_plan.h (internal)
//
// CopyPlan: by which methods the bytes of one flow can get into another. It
// alone knows which kinds of descriptor go together.

#ifndef FLOW_RELAY_COPY_PLAN_H_
#define FLOW_RELAY_COPY_PLAN_H_

#include "absl/status/statusor.h"
#include "flow/core.h"
#include "flow/relay/relay_options.h"

namespace flow {
namespace internal {

// What two flows can do with each other's bytes.
struct CopyPlan {
  bool may_splice = false;  // try, once it pays
  bool splice_now = false;  // from the first byte on
  // kSendfile or kCopyFileRange: see DirectJob. Else kBuffered.
  CopyMethod direct = CopyMethod::kBuffered;
  bool may_signal = false;  // its calls can raise SIGPIPE
};

// UNIMPLEMENTED if `wanted` can't be done between the two. A direction that
// has ended, or is another's at this moment, is planned for as a layer is.
absl::StatusOr<CopyPlan> PlanCopy(Core& src, Core& dst, CopyMethod wanted);

// Whether `error` of splice or the like says that this is not the way, rather
// than how the stream has ended.
bool IsRefusal(int error);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_COPY_PLAN_H_
