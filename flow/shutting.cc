#include "flow/shutting.h"

#include "absl/cleanup/cleanup.h"
#include "flow/call.h"
#include "flow/job.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

constexpr char kShutdown[] = "shutdown";

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
  Call call(core, Role::kDrain, limits, "close");
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

void RetireLayer(Core& core) {
  if (core.EnterUnheld() != Answer::kTry) return core.Unpin();
  core.Retire();
  core.LeaveUnheld();
}

absl::Status Shutdown(Core& core, ShutdownMode mode, const Limits& limits) {
  core.Pin();
  const absl::Cleanup unpin = [&core] { core.Unpin(); };
  if (mode != ShutdownMode::kWrite) core.ShutRead();
  absl::Status status;
  if (mode != ShutdownMode::kRead) status = ShutWrite(core, limits);
  if (core.is_layer() && core.state().BothSidesEnded()) {
    CloseBelow(core, limits);
  }
  return status;
}

absl::Status CloseGracefully(Core& core, const Limits& limits) {
  core.Pin();
  const absl::Cleanup unpin = [&core] { core.Unpin(); };
  absl::Status status = ShutWrite(core, limits);
  // From here on the read side is ours; if it is somebody else's (Close has
  // come, or a second CloseGracefully), they finish.
  if (status.ok() && core.Linger()) {
    status = Drain(core, /*below=*/false, UINT64_MAX, limits);
  }
  const absl::Status closed = core.Close(/*abort=*/false);
  return status.ok() ? closed : status;
}

}  // namespace internal
}  // namespace flow
