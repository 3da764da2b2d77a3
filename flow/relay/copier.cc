#include "flow/relay/copier.h"

#include <optional>

#include "absl/time/time.h"
#include "flow/call.h"
#include "flow/fd/sigpipe.h"
#include "flow/flow_access.h"
#include "flow/relay/relay_rules.h"
#include "flow/state.h"
#include "flow/status.h"
#include "flow/transport.h"
#include "flow/writing.h"

namespace flow {
namespace internal {

Copier::Copier(Flow& src, Flow& dst, const Limits& limits, const CopyPlan& plan,
               size_t buffer_size, Movement& movement)
    : src_(*FlowAccess::CoreOf(src)),
      dst_(*FlowAccess::CoreOf(dst)),
      dst_flow_(dst),
      limits_(limits),
      plan_(plan),
      movement_(movement),
      carrier_(plan, buffer_size, /*parked=*/false),
      watch_(src_),
      sink_watch_(dst_),
      direct_(plan.direct) {
  // It is of the whole, not of each call: the IdleClock keeps it.
  limits_.stall_timeout = absl::InfiniteDuration();
}

Limits Copier::CallLimits() const {
  return limits_.Within(movement_.idle().deadline());
}

bool Copier::Run(CopyResult& result) {
  // splice and sendfile raise SIGPIPE and have no flag against it.
  std::optional<SigpipeGuard> guard;
  if (plan_.may_signal) guard.emplace(dst_.sys());
  const bool ok = Loop(result);
  if (guard.has_value() && !may_have_signalled_ &&
      !carrier_.may_have_signalled()) {
    guard->NoneCame();
  }
  return ok;
}

bool Copier::Loop(CopyResult& result) {
  for (;;) {
    Step step = Step::kNothing;
    if (direct_ != CopyMethod::kBuffered) step = MoveDirectly(result);
    if (step == Step::kNothing) step = TakeChunk(result);
    if (step == Step::kEof) return true;
    if (step == Step::kFailed) return false;
    if (carrier_.held() > 0 && !GiveChunk(result)) return false;
  }
}

Copier::Step Copier::MoveDirectly(CopyResult& result) {
  for (;;) {
    const Limits limits = CallLimits();
    Call call(dst_, Role::kWrite, limits, "write");
    DirectJob job(direct_, src_, movement_);
    const bool done = call.Begin() && call.Run(job);
    may_have_signalled_ = may_have_signalled_ || job.may_have_signalled();
    if (done && job.moved() == 0) {
      if (job.refused()) direct_ = CopyMethod::kBuffered;
      return Step::kNothing;
    }
    if (done) {
      result.bytes_read += job.moved();
      result.bytes += job.moved();
      ++result.reads;
      ++result.writes;
      result.method = direct_;
      return Step::kMoved;
    }
    const absl::Status status = call.status();
    if (GoOnAfter(status)) continue;
    result.write_status = Explain(status);
    return Step::kFailed;
  }
}

Copier::Step Copier::TakeChunk(CopyResult& result) {
  for (;;) {
    const Limits limits = CallLimits();
    Call call(src_, Role::kRead, limits, src_.read_name());
    TakeJob job(carrier_, sink_watch_);
    const bool done = call.Begin() && call.Run(job);
    if (job.sink_gone()) {
      result.write_status = dst_.WriteError();
      return Step::kFailed;
    }
    if (done) {
      ++result.reads;
      result.bytes_read += carrier_.held();
      movement_.idle().Moved();
      return Step::kMoved;
    }
    if (call.at_eof()) return Step::kEof;
    const absl::Status status = call.status();
    if (GoOnAfter(status)) continue;
    result.read_status = Explain(status);
    return Step::kFailed;
  }
}

bool Copier::GiveChunk(CopyResult& result) {
  bool begun = false;
  for (;;) {
    const Limits limits = CallLimits();
    Call call(dst_, Role::kWrite, limits, "write", carrier_.held());
    GiveJob job(carrier_, watch_, movement_);
    const bool done = call.Begin() && call.Run(job);
    result.bytes += call.turn().done();
    begun = begun || call.turn().done() > 0;
    if (begun) result.method = carrier_.method();
    if (job.source_end() != SourceEnd::kNone) {
      result.read_status = SourceEndStatus(src_, job.source_end());
      return false;
    }
    if (done) {
      ++result.writes;
      return true;
    }
    const absl::Status status = call.status();
    if (GoOnAfter(status)) continue;
    // As a Write that a limit cuts: what was taken from the source, and is
    // missing, is nobody's to send; also if all of this chunk is.
    if (call.hit_limit() && carrier_.held() > 0) {
      dst_.Seal(SealedStatus(call.turn()));
    }
    result.write_status = Explain(status);
    return false;
  }
}

bool Copier::EndSink(CopyResult& result) {
  result.write_status = WhyNotEnd(dst_);
  if (!result.write_status.ok()) return false;
  for (;;) {
    const absl::Status told =
        dst_flow_.Shutdown(ShutdownMode::kWrite, CallLimits());
    if (told.ok()) return true;
    if (GoOnAfter(told)) continue;
    result.write_status = Explain(told);
    return false;
  }
}

}  // namespace internal
}  // namespace flow
