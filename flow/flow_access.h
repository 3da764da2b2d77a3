// File: flow_access.h (internal)
//
// FlowAccess: for those in other rooms who make calls of their own on a flow
// (flow/net/fd_passing.h), by the same turns and jobs as its methods.

#ifndef FLOW_FLOW_ACCESS_H_
#define FLOW_FLOW_ACCESS_H_

#include "flow/core.h"
#include "flow/flow.h"

namespace flow {
namespace internal {

struct FlowAccess {
  // Null if there is no flow.
  static Core* CoreOf(const Flow& flow) { return flow.core_; }
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FLOW_ACCESS_H_
