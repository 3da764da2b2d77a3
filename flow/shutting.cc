#include "flow/shutting.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "flow/aside.h"
#include "flow/call.h"
#include "flow/job.h"
#include "flow/observer.h"
#include "flow/sleeper.h"
#include "flow/state.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

constexpr char kShutdown[] = "shutdown";
constexpr char kClose[] = "close";

absl::Status ShutWrite(Core& core, const Limits& limits) {
  Call call(core, Role::kShutdown, limits, kShutdown);
  ShutdownJob job;
  if (call.Begin() && call.Run(job)) return absl::OkStatus();
  // It is as the caller wants it, or there is nothing to be done any more.
  if (call.is_shut() || call.closed_before()) return absl::OkStatus();
  return call.status();
}

// Reads and drops until the end of the stream, or `at_most` bytes.
absl::Status Drain(Core& core, bool below, uint64_t at_most,
                   const Limits& limits) {
  Call call(core, Role::kDrain, limits, kClose);
  DrainJob job(below, at_most);
  if (call.Begin() && call.Run(job)) return absl::OkStatus();
  return call.at_eof() ? absl::OkStatus() : call.status();
}

// SEED.md: a layer whose both sides are shut closes the flow below. In order:
// what the peer still sends is read and dropped for a while, since closing on
// unread bytes would reset what the peer has yet to read.
void CloseBelow(Core& core, const Limits& limits) {
  if (core.state().read_end() == ReadEnd::kOpen) {
    const Limits bounded = limits.Within(core.sys()->Now() + kBelowWait);
    // Whatever it meets, the flow below is over.
    Drain(core, /*below=*/true, kBelowBytes, bounded).IgnoreError();
  }
  RetireLayer(core);
}

}  // namespace

void ShutRead(Core& core) {
  Aside told(core, OperationKind::kShutdownRead, "shutdown_read");
  told.Begun();
  core.ShutRead();
  told.Ended(absl::StatusCode::kOk);
}

void RetireLayer(Core& core) {
  if (core.EnterUnheld() != Answer::kTry) return core.Unpin();
  core.Retire();
  core.LeaveUnheld();
}

absl::Status LimitsOfShutdown(const Core& core, ShutdownMode mode,
                              const Limits& limits) {
  const FlowState now = core.state();
  if (mode == ShutdownMode::kWrite || now.closed() || now.read_shut()) {
    return absl::OkStatus();  // the write half looks at them by itself
  }
  const Woke passed = Sleeper(core.sys(), limits, nullptr).Check();
  const bool waits = mode == ShutdownMode::kReadWrite &&
                     now.Ask(Role::kShutdown) != Answer::kShut;
  if (passed != Woke::kInvalid && !waits) return absl::OkStatus();
  return LimitStatus(passed, core.Detail(kShutdown), core.Describe());
}

absl::Status Shutdown(Core& core, ShutdownMode mode, const Limits& limits) {
  if (absl::Status s = LimitsOfShutdown(core, mode, limits); !s.ok()) return s;
  core.Pin();
  const absl::Cleanup unpin = [&core] { core.Unpin(); };
  if (mode != ShutdownMode::kWrite) ShutRead(core);
  absl::Status status;
  if (mode != ShutdownMode::kRead) status = ShutWrite(core, limits);
  if (core.is_layer() && core.state().BothSidesEnded()) {
    CloseBelow(core, limits);
  }
  return status;
}

bool Farewell::WaitsForPeer(Core& core, absl::Status shut) {
  status_ = std::move(shut);
  if (!status_.ok()) return false;
  const WriteEnd end = core.state().write_end();
  // Not all that was written will arrive, whatever the peer sends.
  if (end != WriteEnd::kOpen) status_ = core.WriteError();
  if (end == WriteEnd::kClosedByPeer || end == WriteEnd::kError) return false;
  // A peer that sees the end mark of a side that was cut in the middle still
  // reads, and must not be reset.
  if (core.Linger()) return true;
  // Somebody has closed the flow meanwhile.
  if (was_open_ && core.can_read()) {
    Drained(core, ClosedLocallyStatus(core.Detail(kClose), core.Describe(),
                                      /*pending=*/true));
  }
  return false;
}

void Farewell::Drained(const Core& core, absl::Status drained) {
  if (!status_.ok()) return;
  // Another CloseGracefully has seen the peer's end, and closed.
  if (core.state().read_end() == ReadEnd::kEof) return;
  status_ = std::move(drained);
}

absl::Status Farewell::Result(const absl::Status& closed) const {
  return status_.ok() ? closed : status_;
}

absl::Status CloseGracefully(Core& core, const Limits& limits) {
  core.Pin();
  const absl::Cleanup unpin = [&core] { core.Unpin(); };
  Farewell farewell(core);
  if (farewell.WaitsForPeer(core, ShutWrite(core, limits))) {
    farewell.Drained(core, Drain(core, /*below=*/false, UINT64_MAX, limits));
  }
  return farewell.Result(core.Close(/*abort=*/false));
}

}  // namespace internal
}  // namespace flow
