// File: flow_access.h (internal)
//
// FlowAccess: for those in other rooms who move bytes by calls of their own
// (flow/call.h), such as the relay's splice.

#ifndef FLOW_FLOW_ACCESS_H_
#define FLOW_FLOW_ACCESS_H_

#include "flow/core.h"
#include "flow/flow.h"

namespace flow {
namespace internal {

struct FlowAccess {
  // Null if there is no flow. Valid for as long as `flow` is there.
  static Core* CoreOf(const Flow& flow) { return flow.core_; }
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FLOW_ACCESS_H_
