#include "flow/aside.h"

#include <utility>

namespace flow {
namespace internal {

void Aside::ReportBegin() {
  Observing& observing = *core_.observing();
  observers_ = observing.first();
  if (observers_ == nullptr) return;
  operation_.id = observing.NextId();
  operation_.kind = kind_;
  operation_.name = name_;
  operation_.began = core_.sys()->Now();
  for (const auto* node = observers_; node != nullptr; node = node->next) {
    node->observer->OnBegin(operation_);
  }
}

void Aside::ReportWait(Activity what, MonoTime limit) const {
  Waiting waiting;
  waiting.what = what;
  waiting.until = limit;
  for (const auto* node = observers_; node != nullptr; node = node->next) {
    node->observer->OnWait(operation_, waiting);
  }
}

void Aside::ReportEnd(absl::StatusCode code) {
  Outcome outcome;
  outcome.code = code;
  outcome.duration = core_.sys()->Now() - operation_.began;
  for (const auto* node = std::exchange(observers_, nullptr); node != nullptr;
       node = node->next) {
    node->observer->OnEnd(operation_, outcome);
  }
}

}  // namespace internal
}  // namespace flow
