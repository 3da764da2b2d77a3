// File: flow_access.h (internal)
//
// FlowAccess: for those in other rooms who make calls of their own out of the
// driver's parts (flow/writing.h), as flow/buffered/writer.h does.

#ifndef FLOW_FLOW_ACCESS_H_
#define FLOW_FLOW_ACCESS_H_

#include "flow/core.h"
#include "flow/flow.h"
#include "flow/state.h"

namespace flow {
namespace internal {

struct FlowAccess {
  // Null if there is no flow.
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
