#include "flow/relay/relay.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/core.h"
#include "flow/flow_access.h"
#include "flow/relay/check_options.h"
#include "flow/relay/copier.h"
#include "flow/relay/copy_plan.h"
#include "flow/relay/movement.h"
#include "flow/relay/relay_rules.h"
#include "flow/sleeper.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/own_thread.h"

namespace flow {
namespace {

using internal::CopyPlan;
using internal::FlowAccess;
using internal::kLinger;
using internal::RelayRules;
using internal::Woke;
using Do = RelayRules::Do;
using Way = RelayRules::Way;

// What can be said of two flows before a byte is moved.
absl::Status Prepare(const Flow& src, const Flow& dst, CopyMethod method,
                     CopyPlan& plan) {
  internal::Core* const from = FlowAccess::CoreOf(src);
  internal::Core* const to = FlowAccess::CoreOf(dst);
  if (from == nullptr) return internal::NoFlowStatus("read");
  if (to == nullptr) return internal::NoFlowStatus("write");
  const absl::StatusOr<CopyPlan> planned =
      internal::PlanCopy(*from, *to, method);
  if (planned.ok()) plan = *planned;
  return planned.status();
}

class Relaying {
 public:
  Relaying(Flow& a, Flow& b, const RelayOptions& options,
           const CopyPlan (&plans)[2])
      : options_(options),
        sys_(a.syscalls()),
        idle_(sys_, options.limits.stall_timeout),
        meter_(sys_, options.progress, options.progress_interval),
        rules_(options.policy, options.half_close_limit),
        sides_{{a, b, plans[0], {}}, {b, a, plans[1], {}}} {}

  RelayResult Run();

 private:
  struct Side {
    Flow& src;
    Flow& dst;
    const CopyPlan plan;
    CancelSource done;  // cancelled when this way has ended, however
  };

  void Go(Way way);
  bool Move(Way way);
  void Obey(Do what, Way way);
  // Waits beside the other way for the peer of our source, which has ended, to
  // be gone: nobody else is looking at it.
  void Watch(Way way);
  // False: the way's watch is over before all that it has moved has arrived.
  bool AwaitArrival(Way way, const Limits& limits);
  // Until one of `limits` ends it.
  Woke SleepOut(const Limits& limits);
  void End(bool abort);

  const RelayOptions options_;
  Syscalls* const sys_;
  internal::IdleClock idle_;
  internal::ProgressMeter meter_;
  RelayRules rules_;
  Side sides_[2];
};

RelayResult Relaying::Run() {
  const MonoTime begin = sys_->Now();
  CopyResult& first = rules_.result(RelayRules::kAToB);
  CopyResult& back = rules_.result(RelayRules::kBToA);
  OwnThread second;
  if (second.StartWithoutSignals(
          "flow relay", [this] { Go(RelayRules::kBToA); }, sys_)) {
    Go(RelayRules::kAToB);
    second.JoinUnlessSelf();
  } else {
    first.read_status =
        MakeStatus(absl::StatusCode::kResourceExhausted,
                   "the system has no thread for the second direction",
                   {ErrorKind::kSystem, EAGAIN, "relay", "", "", 0});
    back.cut = true;
    back.read_status = first.read_status;
  }
  meter_.Finish();
  return {first, back, sys_->Now() - begin};
}

void Relaying::Go(Way way) {
  const MonoTime begin = sys_->Now();
  const bool ok = Move(way);
  rules_.result(way).duration = sys_->Now() - begin;
  const Do what = rules_.Ended(way, ok);
  sides_[way].done.Cancel();
  Obey(what, way);
}

bool Relaying::Move(Way way) {
  Side& side = sides_[way];
  CopyResult& result = rules_.result(way);
  internal::Movement movement(idle_, meter_, way == RelayRules::kBToA);
  internal::Copier copier(side.src, side.dst, options_.limits, side.plan,
                          options_.buffer_size, movement);
  // The end is judged before it is told: a peer that has got it may well be
  // gone.
  return copier.Run(result) && rules_.AtEof(way) && copier.EndSink(result);
}

void Relaying::Obey(Do what, Way way) {
  switch (what) {
    case Do::kNothing:
      return;
    case Do::kWatch:
      return Watch(way);
    case Do::kAbort:
      return End(/*abort=*/true);
    case Do::kClose:
      return End(/*abort=*/false);
    case Do::kCloseInOrder: {
      Limits limits = options_.limits.Within(sys_->Now() + kLinger);
      limits.stall_timeout = absl::InfiniteDuration();
      // The source has nothing unread. The sink may: closed at once, it would
      // reset what its peer has yet to read.
      sides_[way].src.Close().IgnoreError();
      sides_[way].dst.CloseGracefully(limits).IgnoreError();
      return;
    }
  }
}

void Relaying::Watch(Way way) {
  Flow& source = sides_[way].src;
  const bool visible = source.abort_is_visible();
  Limits limits(sides_[RelayRules::Other(way)].done.token());
  limits.deadline = sys_->Now() + options_.half_close_limit;
  const absl::StatusOr<PeerEnd> end =
      source.WaitPeerEnd(PeerEnd::kGone, limits);
  if (end.ok()) {
    if (visible && !AwaitArrival(way, limits)) return;
    return Obey(rules_.SourceGone(way, visible, source.ToString()), way);
  }
  // The other way has ended, or the limit has passed, or this kind of flow
  // can't tell: then the limit is waited for alone.
  if (options_.half_close_limit == absl::InfiniteDuration()) return;
  if (SleepOut(limits) == Woke::kDeadline) {
    Obey(rules_.HalfCloseLimitPassed(way), way);
  }
}

bool Relaying::AwaitArrival(Way way, const Limits& limits) {
  internal::Core& sink = *FlowAccess::CoreOf(sides_[way].dst);
  while (internal::HasBytesOnTheWay(sink)) {
    const MonoTime next = sys_->Now() + internal::kLookAtSink;
    const Woke woke = SleepOut(limits.Within(next));
    if (woke != Woke::kDeadline) return false;
    if (next < limits.deadline) continue;
    Obey(rules_.HalfCloseLimitPassed(way), way);
    return false;
  }
  return true;
}

Woke Relaying::SleepOut(const Limits& limits) {
  internal::Sleeper sleeper(sys_, limits, nullptr);
  sleeper.Arm();
  Woke woke = sleeper.Check();
  while (woke == Woke::kRetry) {
    woke = sleeper.Sleep(Wait());
    sleeper.Arm();
  }
  return woke;
}

void Relaying::End(bool abort) {
  for (Flow* flow : {&sides_[0].dst, &sides_[0].src}) {
    // The failure of a flow that is given up says nothing new.
    (abort ? flow->Abort() : flow->Close()).IgnoreError();
  }
}

}  // namespace

CopyResult Copy(Flow& src, Flow& dst, const CopyOptions& options) {
  CopyResult result;
  result.read_status = internal::CheckOptions(options);
  result.refused = !result.read_status.ok();
  if (result.refused) return result;
  CopyPlan plan;
  const absl::Status prepared = Prepare(src, dst, options.method, plan);
  if (!prepared.ok()) {
    (src ? result.write_status : result.read_status) = prepared;
    result.refused = true;
    return result;
  }
  Syscalls* const sys = src.syscalls();
  const MonoTime begin = sys->Now();
  internal::IdleClock idle(sys, options.limits.stall_timeout);
  internal::ProgressMeter meter(sys, options.progress,
                                options.progress_interval);
  internal::Movement movement(idle, meter, /*back=*/false);
  internal::Copier copier(src, dst, options.limits, plan, options.buffer_size,
                          movement);
  if (copier.Run(result) && options.end_sink) {
    static_cast<void>(copier.EndSink(result));
  }
  if (options.end_sink && !result.ok()) dst.Abort().IgnoreError();
  result.duration = sys->Now() - begin;
  meter.Finish();
  return result;
}

RelayResult Relay(Flow& a, Flow& b, const RelayOptions& options) {
  RelayResult result;
  CopyPlan plans[2];
  absl::Status prepared = internal::CheckRelayOptions(options);
  if (prepared.ok()) prepared = Prepare(a, b, options.method, plans[0]);
  if (prepared.ok()) prepared = Prepare(b, a, options.method, plans[1]);
  if (!prepared.ok()) {
    result.a_to_b.read_status = result.b_to_a.read_status = prepared;
    result.a_to_b.refused = result.b_to_a.refused = true;
    return result;
  }
  return Relaying(a, b, options, plans).Run();
}

}  // namespace flow
