// File: flow_holder.h (internal)
//
// FlowHolder: the flow of a Reader or a Writer: its own, or somebody else's. It
// stays where it is when the holder is moved, so that a thread that closes it
// meanwhile finds it.

#ifndef FLOW_BUFFERED_FLOW_HOLDER_H_
#define FLOW_BUFFERED_FLOW_HOLDER_H_

#include <memory>
#include <utility>

#include "flow/flow.h"

namespace flow {
namespace internal {

class FlowHolder {
 public:
  explicit FlowHolder(Flow flow)
      : owned_(std::make_unique<Flow>(std::move(flow))), flow_(owned_.get()) {}
  explicit FlowHolder(Flow* borrowed) : flow_(borrowed) {}
  // A moved-from holder has no flow.
  FlowHolder(FlowHolder&& other) noexcept
      : owned_(std::move(other.owned_)),
        flow_(std::exchange(other.flow_, nullptr)) {}
  FlowHolder& operator=(FlowHolder&& other) noexcept {
    owned_ = std::move(other.owned_);
    flow_ = std::exchange(other.flow_, nullptr);
    return *this;
  }

  // The flow itself; what is left is none.
  Flow Take() { return flow_ != nullptr ? Flow(std::move(*flow_)) : Flow(); }

  bool owns() const { return owned_ != nullptr; }
  Flow& get() const {
    // Answers *closed locally*, and never dies.
    static Flow* const none = new Flow();
    return flow_ != nullptr ? *flow_ : *none;
  }

 private:
  std::unique_ptr<Flow> owned_;
  Flow* flow_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_BUFFERED_FLOW_HOLDER_H_
