// File: relay_ops.h (internal)
//
// The operations that a relay is made of in the futures driver: the jobs of
// flow/relay/copy_jobs.h, parked, and a timer.

#ifndef FLOW_RELAY_RELAY_OPS_H_
#define FLOW_RELAY_RELAY_OPS_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "flow/async_op.h"
#include "flow/cancel.h"
#include "flow/job.h"
#include "flow/limits.h"
#include "flow/poller.h"
#include "flow/relay/carrier.h"
#include "flow/relay/copy_jobs.h"
#include "flow/relay/end_watch.h"
#include "flow/relay/movement.h"
#include "flow/state.h"
#include "flow/sys/mono_time.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// How a step of one direction ended.
struct StepOutcome {
  bool done = false;
  bool at_eof = false;                      // of the source
  bool sink_gone = false;                   // found while taking
  SourceEnd source_end = SourceEnd::kNone;  // found while giving
  absl::Status status;                      // if none of these
};
using StepSink = absl::AnyInvocable<void(const StepOutcome&) &&>;

// `carrier` and the like outlive the operation, which `sink` sees to.
class AsyncTake final : public AsyncOp {
 public:
  AsyncTake(const std::shared_ptr<AsyncCore>& flow, const Limits& limits,
            Carrier& carrier, SinkWatch& watch, StepSink sink)
      : AsyncOp(flow, Role::kRead, limits, flow->core().read_name(), 0),
        job_(carrier, watch),
        sink_(std::move(sink)) {}

 private:
  Job& job() override { return job_; }
  void Deliver(bool done) override {
    StepOutcome outcome;
    outcome.sink_gone = job_.sink_gone();
    outcome.done = done && !outcome.sink_gone;
    outcome.at_eof = !done && at_eof();
    if (!done) outcome.status = status();
    std::move(sink_)(outcome);
  }

  TakeJob job_;
  StepSink sink_;
};

class AsyncGive final : public AsyncOp {
 public:
  AsyncGive(std::shared_ptr<AsyncCore> flow, const Limits& limits,
            Carrier& carrier, SourceWatch& watch, Movement& movement,
            StepSink sink)
      : AsyncOp(std::move(flow), Role::kWrite, limits, "write", 0),
        job_(carrier, watch, movement),
        sink_(std::move(sink)) {}

 private:
  Job& job() override { return job_; }
  void Deliver(bool done) override {
    StepOutcome outcome;
    outcome.source_end = job_.source_end();
    outcome.done = done && outcome.source_end == SourceEnd::kNone;
    if (!done) outcome.status = status();
    std::move(sink_)(outcome);
  }

  GiveJob job_;
  StepSink sink_;
};

// Tells whether `when` came before `token` was cancelled. Destroys itself.
class AsyncTimer final : public Parked {
 public:
  using Done = absl::AnyInvocable<void(bool passed) &&>;

  static void Start(const std::shared_ptr<AsyncCore>& flow, MonoTime when,
                    const CancelToken& token, Done done) {
    if (!flow->poller().Begin()) return std::move(done)(false);
    flow->CountOutstanding(1);
    flow->poller().MakeReady(
        *new AsyncTimer(flow, when, token, std::move(done)));
  }

  void OnReady() override {
    Poller& poller = flow_->poller();
    const bool over = poller.stopping() || token_.cancelled();
    if (!over && flow_->core().sys()->Now() < when_) {
      return poller.Park(*this, flow_->parked(), Wait(), token_.signal(), when_,
                         [this] { return token_.cancelled(); });
    }
    flow_->CountOutstanding(-1);
    {
      const Poller::Handing handing(&poller);
      std::move(done_)(!over);
    }
    delete this;
  }

 private:
  AsyncTimer(std::shared_ptr<AsyncCore> flow, MonoTime when, CancelToken token,
             Done done)
      : flow_(std::move(flow)),
        when_(when),
        token_(std::move(token)),
        done_(std::move(done)) {}

  const std::shared_ptr<AsyncCore> flow_;
  const MonoTime when_;
  const CancelToken token_;
  Done done_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_RELAY_OPS_H_
