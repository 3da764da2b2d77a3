// File: async_access.h (internal)
//
// AsyncAccess: for those in other rooms who make AsyncFlows by operations of
// their own (flow/net/async_dial.h, flow/net/async_listener.h).

#ifndef FLOW_ASYNC_ACCESS_H_
#define FLOW_ASYNC_ACCESS_H_

#include <memory>
#include <utility>

#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_home.h"
#include "flow/async_op.h"
#include "flow/flow.h"

namespace flow {
namespace internal {

struct AsyncAccess {
  static AsyncHome HomeOf(const AsyncContext& context) {
    return AsyncHome(context.poller(), context.way());
  }
  // Null if there is no flow.
  static const std::shared_ptr<AsyncCore>& CoreOf(const AsyncFlow& flow) {
    return flow.core_;
  }
  // `flow` is new.
  static AsyncFlow Make(Flow&& flow, const AsyncHome& home) {
    return AsyncFlow::At(std::move(flow), home);
  }
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_ASYNC_ACCESS_H_
