// File: flow_access.h (internal)
//
// FlowAccess: for those in other rooms who make calls of their own on a flow,
// by the same turns and jobs as its methods (flow/call.h):
// flow/net/fd_passing.h, flow/buffered/writer.h, flow/relay/.

#ifndef FLOW_FLOW_ACCESS_H_
#define FLOW_FLOW_ACCESS_H_

#include "flow/core.h"
#include "flow/flow.h"
#include "flow/state.h"

namespace flow {
namespace internal {

struct FlowAccess {
  // Null if there is no flow. Valid for as long as `flow` is there.
  static Core* CoreOf(const Flow& flow) { return flow.core_; }
  // Whether a limit has cut a Write in the middle.
  static bool IsSealed(const Flow& flow) {
    return flow.core_ != nullptr &&
           flow.core_->state().write_end() == WriteEnd::kSealed;
  }
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FLOW_ACCESS_H_
