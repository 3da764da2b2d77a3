#include "flow/shutting.h"

#include <sys/uio.h>

#include <cstdint>

#include "absl/cleanup/cleanup.h"
#include "flow/call.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

constexpr char kShutdown[] = "shutdown";

// What closing the flow below a layer waits for at most (DESIGN: section 3).
constexpr absl::Duration kBelowWait = absl::Seconds(1);
constexpr uint64_t kBelowBytes = 1 << 20;
constexpr size_t kDrainChunk = 16 << 10;

// The steps that end the write side, by a call that has begun.
bool EndWriteSide(Core& core, Call& call) {
  for (;;) {
    const Attempt a = core.transport().TryFlush();
    if (a.transferred()) break;
    if (!call.Again(a)) return false;
  }
  if (!call.NextStep()) return false;
  for (;;) {
    const Attempt a = core.transport().TryShutdown(ShutdownMode::kWrite);
    if (a.transferred()) return true;
    if (!call.Again(a)) return false;
  }
}

absl::Status ShutWrite(Core& core, const Limits& limits) {
  Call call(core, Role::kShutdown, limits, kShutdown);
  if (!call.Begin() || !EndWriteSide(core, call)) {
    // It is as the caller wants it, or there is nothing to be done any more.
    const bool done = call.is_shut() || call.closed_before();
    return done && !call.hit_limit() ? absl::OkStatus() : call.status();
  }
  core.ShutdownDone();
  return absl::OkStatus();
}

// Reads and drops until the transport says end, by a call that has begun.
template <typename TryFn>
absl::Status Drain(Call& call, uint64_t at_most, TryFn try_once) {
  char scratch[kDrainChunk];
  const iovec into = {scratch, sizeof(scratch)};
  uint64_t dropped = 0;
  while (dropped < at_most) {
    const Attempt a = try_once(absl::MakeConstSpan(&into, 1));
    if (a.transferred()) {
      dropped += a.n();
      if (call.Progress(a.n())) continue;
    } else if (call.Again(a)) {
      continue;
    }
    return call.at_eof() && !call.hit_limit() ? absl::OkStatus()
                                              : call.status();
  }
  return absl::OkStatus();
}

// SEED.md: a layer whose both sides are shut closes the flow below. In order:
// what the peer still sends is read and dropped for a while, since closing on
// unread bytes would reset what the peer has yet to read.
void CloseBelow(Core& core, const Limits& limits) {
  if (core.EnterUnheld() != Answer::kTry) return core.Unpin();
  const absl::Cleanup leave = [&core] { core.LeaveUnheld(); };
  if (core.state().read_end() == ReadEnd::kOpen) {
    const Limits bounded = limits.Within(core.sys()->Now() + kBelowWait);
    Call call(core, Role::kDrain, bounded, kShutdown);
    if (call.Begin()) {
      Drain(call, kBelowBytes, [&core](absl::Span<const iovec> into) {
        return core.transport().TryDrain(into);
      }).IgnoreError();  // whatever it met, the flow below is over
    }
  }
  core.Retire();
}

absl::Status DrainToEnd(Core& core, const Limits& limits) {
  Call call(core, Role::kDrain, limits, "close");
  if (!call.Begin()) {
    return call.at_eof() && !call.hit_limit() ? absl::OkStatus()
                                              : call.status();
  }
  return Drain(call, UINT64_MAX, [&core](absl::Span<const iovec> into) {
    return core.transport().TryRead(into);
  });
}

}  // namespace

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
  if (status.ok() && core.Linger()) status = DrainToEnd(core, limits);
  const absl::Status closed = core.Close(/*abort=*/false);
  return status.ok() ? closed : status;
}

}  // namespace internal
}  // namespace flow
