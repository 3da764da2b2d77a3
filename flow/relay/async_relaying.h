// File: async_relaying.h (internal)
//
// AsyncRelaying: one relay in the futures driver (flow/relay/async_relay.h). It
// alone knows how the steps of a copy follow each other without a thread.

#ifndef FLOW_RELAY_ASYNC_RELAYING_H_
#define FLOW_RELAY_ASYNC_RELAYING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "flow/async_flow.h"
#include "flow/async_home.h"
#include "flow/async_op.h"
#include "flow/async_sink.h"
#include "flow/cancel.h"
#include "flow/limits.h"
#include "flow/relay/carrier.h"
#include "flow/relay/copy_jobs.h"
#include "flow/relay/copy_plan.h"
#include "flow/relay/end_watch.h"
#include "flow/relay/movement.h"
#include "flow/relay/relay_ops.h"
#include "flow/relay/relay_options.h"
#include "flow/relay/relay_result.h"
#include "flow/relay/relay_rules.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

// One relay: two pumps, which go from step to step on whichever thread a step
// ended, and what follows from their ends. Lives for as long as one of its
// operations does.
class AsyncRelaying final : public std::enable_shared_from_this<AsyncRelaying> {
 public:
  AsyncRelaying(AsyncFlow a, AsyncFlow b, const RelayOptions& options,
                const CopyPlan (&plans)[2], Sink<RelayResult> sink);

  // The poller has been told that it begins.
  void Start();

 private:
  // Where the step of a pump is.
  enum class Flight : uint8_t { kSubmitting, kAway, kOver };

  struct Pump {
    Pump(std::shared_ptr<AsyncCore> from, std::shared_ptr<AsyncCore> to,
         const CopyPlan& plan, size_t buffer_size, const Movement& how)
        : src(std::move(from)),
          dst(std::move(to)),
          carrier(plan, buffer_size, /*parked=*/true),
          watch(src->core()),
          sink_watch(dst->core()),
          movement(how) {}

    const std::shared_ptr<AsyncCore> src;
    const std::shared_ptr<AsyncCore> dst;
    Carrier carrier;
    SourceWatch watch;
    SinkWatch sink_watch;
    Movement movement;
    CancelSource done;       // cancelled when this way has ended, however
    bool giving = false;     // what the carrier holds, or the flush after it
    bool over = false;       // no step follows
    size_t held_before = 0;  // the step that is under way
    std::atomic<Flight> flight{Flight::kOver};
  };

  void Run(RelayRules::Way way);
  void RunLater(RelayRules::Way way);
  void Submit(RelayRules::Way way);
  void Landed(RelayRules::Way way, const StepOutcome& outcome);
  void Taken(RelayRules::Way way, const StepOutcome& outcome);
  void Given(RelayRules::Way way, const StepOutcome& outcome);
  void EndSink(RelayRules::Way way);
  void Ended(RelayRules::Way way, bool ok);
  void Obey(RelayRules::Do what, RelayRules::Way way);
  void Watch(RelayRules::Way way);
  void SourceGone(RelayRules::Way way);
  void Close(const std::shared_ptr<AsyncCore>& flow, bool abort);
  Limits StepLimits() const { return limits_.Within(idle_.deadline()); }
  absl::Status Explain(const absl::Status& status) const;
  // One thing less to wait for.
  void Part();
  void Finish();

  const AsyncFlow a_;
  const AsyncFlow b_;
  const RelayOptions options_;
  Limits limits_;  // without the idle limit, which `idle_` keeps
  Syscalls* const sys_;
  const AsyncHome home_;
  const MonoTime begin_;
  IdleClock idle_;
  ProgressMeter meter_;
  RelayRules rules_;
  Pump pumps_[2];
  Sink<RelayResult> sink_;
  std::atomic<int> parts_{2};  // the pumps, and what their ends have begun
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_ASYNC_RELAYING_H_
