// File: core_hold.h (internal)
//
// CoreHold: for those in other rooms who look at a flow that somebody else
// owns, and may end it (flow/net/served.h). It keeps the memory of the flow's
// Core, not the flow: the owner may move it, close it or destroy it at any
// time, and what is done here then does nothing.
//
// A flow whose transport was given away (a layer was put on it) counts as
// closed: the layer's flow is another.
//
// Guarantees: a value; nothing here waits; all of it may be called from any
// thread, the assignments not at the same time as the rest.

#ifndef FLOW_CORE_HOLD_H_
#define FLOW_CORE_HOLD_H_

#include <cstdint>
#include <utility>

#include "flow/core.h"
#include "flow/flow.h"
#include "flow/flow_access.h"
#include "flow/state.h"

namespace flow {
namespace internal {

class CoreHold {
 public:
  CoreHold() = default;
  explicit CoreHold(const Flow& flow) : CoreHold(FlowAccess::CoreOf(flow)) {}
  CoreHold(const CoreHold& other) : CoreHold(other.core_) {}
  CoreHold(CoreHold&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)) {}
  CoreHold& operator=(CoreHold other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~CoreHold() {
    if (core_ != nullptr) core_->Unpin();
  }

  explicit operator bool() const { return core_ != nullptr; }

  // Accepted by the transport and given to callers, since the flow was made.
  uint64_t BytesMoved() const {
    return core_ == nullptr ? 0 : core_->BytesMoved();
  }
  // A limit has cut a Write in the middle.
  bool IsSealed() const {
    return core_ != nullptr && core_->state().write_end() == WriteEnd::kSealed;
  }

  // Flow::Abort, but waits for nobody who is inside: the last of them closes.
  void Abort() const {
    if (core_ != nullptr) core_->StartClose(/*abort=*/true);
  }
  // Flow::Shutdown(kRead).
  void EndReads() const {
    if (core_ != nullptr) core_->ShutRead();
  }
  // In a child that was forked off after this was made: gives the descriptors
  // back, in place of the owner, who is not there.
  void CloseAfterFork() const {
    if (core_ != nullptr) core_->DropHandle();
  }

 private:
  explicit CoreHold(Core* core) : core_(core) {
    if (core_ != nullptr) core_->Pin();
  }

  Core* core_ = nullptr;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_CORE_HOLD_H_
