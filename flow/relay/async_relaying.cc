#include "flow/relay/async_relaying.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/async_access.h"
#include "flow/async_calls.h"
#include "flow/core.h"
#include "flow/poller.h"
#include "flow/state.h"
#include "flow/status.h"
#include "flow/transport.h"

namespace flow {
namespace internal {
namespace {

using Do = RelayRules::Do;
using Way = RelayRules::Way;
using CorePtr = std::shared_ptr<AsyncCore>;

// Steps (takes and gives) before other operations of the poller have a turn.
constexpr int kStepsInATurn = 32;

const CorePtr& CoreOf(const AsyncFlow& flow) {
  return AsyncAccess::CoreOf(flow);
}

}  // namespace

AsyncRelaying::AsyncRelaying(AsyncFlow a, AsyncFlow b,
                             const RelayOptions& options,
                             const CopyPlan (&plans)[2], Sink<RelayResult> sink)
    : a_(std::move(a)),
      b_(std::move(b)),
      options_(options),
      limits_(options.limits),
      sys_(CoreOf(a_)->core().sys()),
      home_(CoreOf(a_)->home()),
      begin_(sys_->Now()),
      idle_(sys_, options.limits.stall_timeout),
      meter_(sys_, options.progress, options.progress_interval),
      rules_(options.policy, options.half_close_limit),
      pumps_{{CoreOf(a_), CoreOf(b_), plans[0], options.buffer_size,
              Movement(idle_, meter_, /*back=*/false)},
             {CoreOf(b_), CoreOf(a_), plans[1], options.buffer_size,
              Movement(idle_, meter_, /*back=*/true)}},
      sink_(std::move(sink)) {
  limits_.stall_timeout = absl::InfiniteDuration();
}

void AsyncRelaying::Start() {
  RunLater(RelayRules::kAToB);
  RunLater(RelayRules::kBToA);
}

// ------------------------------------------------------------------- the pumps

void AsyncRelaying::RunLater(Way way) {
  // The relay itself keeps the poller going until it has ended.
  home_.poller().Post([self = shared_from_this(), way] { self->Run(way); });
}

// A step that is over before Submit returns is followed by the next here, not
// on a growing stack.
void AsyncRelaying::Run(Way way) {
  Pump& pump = pumps_[way];
  for (int steps = 0; !pump.over; ++steps) {
    if (steps == kStepsInATurn) return RunLater(way);
    pump.flight.store(Flight::kSubmitting, std::memory_order_relaxed);
    Submit(way);
    if (pump.flight.exchange(Flight::kAway, std::memory_order_acq_rel) !=
        Flight::kOver) {
      return;
    }
  }
}

void AsyncRelaying::Submit(Way way) {
  Pump& pump = pumps_[way];
  StepSink landed = [self = shared_from_this(),
                     way](const StepOutcome& outcome) {
    self->Landed(way, outcome);
  };
  pump.held_before = pump.carrier.held();
  if (pump.giving) {
    pump.dst->Submit(std::make_unique<AsyncGive>(
        pump.dst, StepLimits(), pump.carrier, pump.watch, pump.movement,
        std::move(landed)));
  } else {
    pump.src->Submit(std::make_unique<AsyncTake>(pump.src, StepLimits(),
                                                 pump.carrier, pump.sink_watch,
                                                 std::move(landed)));
  }
}

void AsyncRelaying::Landed(Way way, const StepOutcome& outcome) {
  Pump& pump = pumps_[way];
  if (pump.giving) {
    Given(way, outcome);
  } else {
    Taken(way, outcome);
  }
  // Who submitted it goes on, if still there.
  if (pump.flight.exchange(Flight::kOver, std::memory_order_acq_rel) ==
      Flight::kAway) {
    Run(way);
  }
}

void AsyncRelaying::Taken(Way way, const StepOutcome& outcome) {
  Pump& pump = pumps_[way];
  CopyResult& result = rules_.result(way);
  if (outcome.done) {
    ++result.reads;
    result.bytes_read += pump.carrier.held();
    idle_.Moved();
    pump.giving = true;
  } else if (outcome.sink_gone) {
    pump.over = true;
    result.write_status = pump.dst->core().WriteError();
    Ended(way, false);
  } else if (outcome.at_eof) {
    pump.over = true;
    if (!rules_.AtEof(way)) return Ended(way, false);
    EndSink(way);
  } else if (!idle_.GoOnAfter(outcome.status, limits_)) {
    pump.over = true;
    result.read_status = Explain(outcome.status);
    Ended(way, false);
  }
}

void AsyncRelaying::Given(Way way, const StepOutcome& outcome) {
  Pump& pump = pumps_[way];
  CopyResult& result = rules_.result(way);
  const size_t moved = pump.held_before - pump.carrier.held();
  result.bytes += moved;
  if (moved > 0) result.method = pump.carrier.method();
  if (outcome.done) {
    ++result.writes;
    pump.giving = false;
  } else if (outcome.source_end != SourceEnd::kNone) {
    pump.over = true;
    result.read_status = SourceEndStatus(pump.src->core(), outcome.source_end);
    Ended(way, false);
  } else if (!idle_.GoOnAfter(outcome.status, limits_)) {
    pump.over = true;
    result.write_status = Explain(outcome.status);
    Ended(way, false);
  }
}

// It began while the context was there: a step that the context's end refuses
// is cancelled, as one that it finds waiting.
absl::Status AsyncRelaying::Explain(const absl::Status& status) const {
  if (!status.ok() && status == home_.Refusal()) {
    return MakeStatus(absl::StatusCode::kCancelled,
                      "relay() cancelled: its AsyncContext was destroyed",
                      {ErrorKind::kCancelled, 0, "relay", "", "", 0});
  }
  return idle_.Explain(status);
}

// -------------------------------------------------------------------- the ends

void AsyncRelaying::EndSink(Way way) {
  absl::Status& write_status = rules_.result(way).write_status;
  write_status = WhyNotEnd(pumps_[way].dst->core());
  if (!write_status.ok()) return Ended(way, false);
  StartShutdown(pumps_[way].dst, ShutdownMode::kWrite, StepLimits(),
                [self = shared_from_this(), way](const absl::Status& told) {
                  if (self->idle_.GoOnAfter(told, self->limits_)) {
                    return self->EndSink(way);
                  }
                  if (!told.ok()) {
                    self->rules_.result(way).write_status = self->Explain(told);
                  }
                  self->Ended(way, told.ok());
                });
}

void AsyncRelaying::Ended(Way way, bool ok) {
  rules_.result(way).duration = sys_->Now() - begin_;
  const Do what = rules_.Ended(way, ok);
  pumps_[way].done.Cancel();
  Obey(what, way);
  Part();
}

void AsyncRelaying::Obey(Do what, Way way) {
  switch (what) {
    case Do::kNothing:
      return;
    case Do::kWatch:
      return Watch(way);
    case Do::kAbort:
    case Do::kClose:
      for (const Pump& pump : pumps_) Close(pump.dst, what == Do::kAbort);
      return;
    case Do::kCloseInOrder: {
      Close(pumps_[way].src, /*abort=*/false);
      Limits limits = limits_.Within(sys_->Now() + kLinger);
      parts_.fetch_add(1, std::memory_order_relaxed);
      StartCloseGracefully(
          pumps_[way].dst, limits,
          [self = shared_from_this()](const absl::Status&) { self->Part(); });
      return;
    }
  }
}

// Waits beside the other way for the peer of our source, which has ended, to be
// gone: nobody else is looking at it.
void AsyncRelaying::Watch(Way way) {
  const CorePtr& source = pumps_[way].src;
  const CancelToken other_is_over = pumps_[RelayRules::Other(way)].done.token();
  const MonoTime limit = sys_->Now() + options_.half_close_limit;
  parts_.fetch_add(2, std::memory_order_relaxed);
  StartWaitPeerEnd(
      source, PeerEnd::kGone, Limits(other_is_over),
      [self = shared_from_this(), way](const absl::StatusOr<PeerEnd>& end) {
        if (end.ok()) self->SourceGone(way);
        self->Part();
      });
  if (limit.is_never()) return Part();
  AsyncTimer::Start(source, limit, other_is_over,
                    [self = shared_from_this(), way](bool passed) {
                      if (passed) {
                        self->Obey(self->rules_.HalfCloseLimitPassed(way), way);
                      }
                      self->Part();
                    });
}

void AsyncRelaying::SourceGone(Way way) {
  Pump& pump = pumps_[way];
  Core& source = pump.src->core();
  const bool visible = source.abort_is_visible();
  if (!visible || !HasBytesOnTheWay(pump.dst->core())) {
    return Obey(rules_.SourceGone(way, visible, source.ToString()), way);
  }
  parts_.fetch_add(1, std::memory_order_relaxed);
  AsyncTimer::Start(pump.src, sys_->Now() + kLookAtSink,
                    pumps_[RelayRules::Other(way)].done.token(),
                    [self = shared_from_this(), way](bool passed) {
                      if (passed) self->SourceGone(way);
                      self->Part();
                    });
}

void AsyncRelaying::Close(const CorePtr& flow, bool abort) {
  // The failure of a flow that is given up says nothing new.
  parts_.fetch_add(1, std::memory_order_relaxed);
  StartClose(flow, abort, [self = shared_from_this()](const absl::Status&) {
    self->Part();
  });
}

void AsyncRelaying::Part() {
  if (parts_.fetch_sub(1, std::memory_order_acq_rel) == 1) Finish();
}

void AsyncRelaying::Finish() {
  // Told as open flows are not needed any more: their peers have all there is.
  for (const Pump& pump : pumps_) {
    StartClose(pump.dst, /*abort=*/false, [](const absl::Status&) {});
  }
  meter_.Finish();
  RelayResult result = {rules_.result(RelayRules::kAToB),
                        rules_.result(RelayRules::kBToA), sys_->Now() - begin_};
  const Poller::Handing handing(&home_.poller());
  std::move(sink_)(std::move(result));
}

}  // namespace internal
}  // namespace flow
