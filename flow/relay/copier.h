// File: copier.h (internal)
//
// Copier: one direction, from Eof to Eof, by one thread. It alone knows how the
// steps of a copy follow each other asleep; relay.cc knows what follows from
// how that ends.

#ifndef FLOW_RELAY_COPIER_H_
#define FLOW_RELAY_COPIER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "flow/core.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/relay/carrier.h"
#include "flow/relay/copy_jobs.h"
#include "flow/relay/copy_plan.h"
#include "flow/relay/end_watch.h"
#include "flow/relay/movement.h"
#include "flow/relay/relay_result.h"

namespace flow {
namespace internal {

class Copier {
 public:
  // All must outlive this. Neither flow is none.
  Copier(Flow& src, Flow& dst, const Limits& limits, const CopyPlan& plan,
         size_t buffer_size, Movement& movement);

  // Moves bytes until the source's Eof (true) or a failure (false), which is
  // then in `result`.
  bool Run(CopyResult& result);

  // Tells the sink's peer the end; false: see `result`.
  bool EndSink(CopyResult& result);

 private:
  enum class Step : uint8_t { kMoved, kNothing, kEof, kFailed };

  bool Loop(CopyResult& result);
  // From the file straight to the sink. kNothing: read instead.
  Step MoveDirectly(CopyResult& result);
  Step TakeChunk(CopyResult& result);
  // All that the carrier holds, or false.
  bool GiveChunk(CopyResult& result);
  // The limits of a call that begins now, the idle limit among them.
  Limits CallLimits() const;
  bool GoOnAfter(const absl::Status& status) const {
    return movement_.idle().GoOnAfter(status, limits_);
  }
  absl::Status Explain(const absl::Status& status) const {
    return movement_.idle().Explain(status);
  }

  Core& src_;
  Core& dst_;
  Flow& dst_flow_;
  Limits limits_;
  const CopyPlan plan_;
  Movement& movement_;
  Carrier carrier_;
  SourceWatch watch_;
  SinkWatch sink_watch_;
  CopyMethod direct_;
  bool may_have_signalled_ = false;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_COPIER_H_
