// File: aside.h (internal)
//
// Aside: one call that has no place in a direction (Close, Abort,
// Shutdown(kRead), WaitPeerEnd), as those who observe the flow are told of it
// (flow/observer.h). What Turn is for the calls that have one.
//
//   core.Pin();
//   Aside told(core, OperationKind::kClose, "close");
//   told.Begun();
//   ...
//   told.Ended(status.code());
//   core.Unpin();
//
// Costs one predicted branch where nobody observes. The flow is pinned from
// Begun to Ended. Belongs to one thread at a time; no lock is held.

#ifndef FLOW_ASIDE_H_
#define FLOW_ASIDE_H_

#include <utility>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/core.h"
#include "flow/observer.h"
#include "flow/observing.h"
#include "flow/stats.h"
#include "flow/sys/mono_time.h"

namespace flow {
namespace internal {

class Aside {
 public:
  // `name` is valid for as long as the program runs.
  Aside(Core& core, OperationKind kind, absl::string_view name)
      : core_(core), kind_(kind), name_(name) {}
  // What has begun goes on in the new one.
  Aside(Aside&& other) noexcept
      : core_(other.core_),
        kind_(other.kind_),
        name_(other.name_),
        observers_(std::exchange(other.observers_, nullptr)),
        operation_(other.operation_) {}
  Aside& operator=(Aside&&) = delete;

  void Begun() {
    if (ABSL_PREDICT_FALSE(core_.observing() != nullptr)) ReportBegin();
  }
  // It is about to sleep or to be parked, until `limit` at most.
  void Waits(Activity what, MonoTime limit) const {
    if (ABSL_PREDICT_FALSE(observers_ != nullptr)) ReportWait(what, limit);
  }
  // Once, unless it has not begun.
  void Ended(absl::StatusCode code) {
    if (ABSL_PREDICT_FALSE(observers_ != nullptr)) ReportEnd(code);
  }

 private:
  void ReportBegin();
  void ReportWait(Activity what, MonoTime limit) const;
  void ReportEnd(absl::StatusCode code);

  Core& core_;
  const OperationKind kind_;
  const absl::string_view name_;
  const Observing::Node* observers_ = nullptr;  // null: nobody is told
  Operation operation_;                         // if somebody is told
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_ASIDE_H_
