#include "flow/relay/relay.h"

#include <signal.h>

#include <cerrno>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/relay/copier.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/own_thread.h"

namespace flow {
namespace {

absl::Status CheckLimits(const Limits& limits) {
  if (limits.stall_timeout > absl::ZeroDuration()) return absl::OkStatus();
  return InvalidArgument(absl::StrCat(
      "relay refused: stall_timeout is ",
      absl::FormatDuration(limits.stall_timeout), ", but must be positive"));
}

bool FailedBecauseClosedHere(const CopyResult& result) {
  return IsClosedLocally(result.read_status) ||
         IsClosedLocally(result.write_status);
}

// Starts the thread of the second direction. Signals are for the threads of the
// user: it inherits a mask that blocks all of them.
bool StartWithoutSignals(OwnThread& thread,
                         absl::AnyInvocable<void() &&> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const bool started = thread.Start("flow relay", std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

class Relaying {
 public:
  Relaying(Flow& a, Flow& b, const Limits& limits)
      : limits_(limits),
        idle_(a.syscalls(), limits.stall_timeout),
        a_to_b_(a, b),
        b_to_a_(b, a) {}

  RelayResult Run();

 private:
  struct Way {
    Way(Flow& from, Flow& to) : src(from), dst(to) {}

    Flow& src;
    Flow& dst;
    CopyResult result;  // of the thread that goes this way
    CancelSource done;  // cancelled when this way has ended, however
    // The rest under mu_. What is left to do is to tell the end.
    bool at_eof = false;
    // The peer of dst was found to be gone, and how to say so.
    absl::Status dst_gone;
  };

  void Go(Way& way, Way& other);
  // Settles how `way` ended; true: in order.
  bool Settle(Way& way, bool ok);
  // Waits beside the other way for the peer of our source, which has ended, to
  // be gone: nobody else is looking at it.
  void Watch(Way& way, Way& other);
  // Ends everything, once. True if this call did.
  bool BeginEnd();
  void End(bool abort);

  const Limits limits_;
  internal::IdleClock idle_;
  Way a_to_b_;
  Way b_to_a_;
  absl::Mutex mu_;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
};

RelayResult Relaying::Run() {
  const MonoTime begin = a_to_b_.src.syscalls()->Now();
  OwnThread second;
  if (StartWithoutSignals(second, [this] { Go(b_to_a_, a_to_b_); })) {
    Go(a_to_b_, b_to_a_);
    second.JoinUnlessSelf();
  } else {
    a_to_b_.result.read_status =
        MakeStatus(absl::StatusCode::kResourceExhausted,
                   "the system has no thread for the second direction",
                   {ErrorKind::kSystem, EAGAIN, "relay", "", "", 0});
    b_to_a_.result.cut = true;
    b_to_a_.result.read_status = a_to_b_.result.read_status;
  }
  return {a_to_b_.result, b_to_a_.result,
          a_to_b_.src.syscalls()->Now() - begin};
}

void Relaying::Go(Way& way, Way& other) {
  const MonoTime begin = way.src.syscalls()->Now();
  internal::Copier copier(way.src, way.dst, limits_, idle_);
  bool ok = copier.Run(way.result);
  if (ok) {
    {
      // Before the end is told: a peer that has got it may well be gone.
      absl::MutexLock lock(&mu_);
      way.at_eof = true;
    }
    ok = copier.EndSink(way.result);
  }
  way.result.duration = way.src.syscalls()->Now() - begin;
  const bool in_order = Settle(way, ok);
  way.done.Cancel();
  if (in_order) Watch(way, other);
}

bool Relaying::Settle(Way& way, bool ok) {
  if (!ok && BeginEnd()) {
    End(/*abort=*/true);
    return false;
  }
  absl::MutexLock lock(&mu_);
  if (!over_) return true;
  // A Shutdown of a flow that was closed meanwhile is OK, but tells nobody.
  if (ok) {
    way.result.write_status = absl::CancelledError("closed before its end");
    way.result.cut = true;
  } else if (FailedBecauseClosedHere(way.result)) {
    way.result.cut = way.dst_gone.ok();
    if (!way.result.cut) {
      way.result.read_status = absl::OkStatus();
      way.result.write_status = way.dst_gone;
    }
  }
  return false;
}

void Relaying::Watch(Way& way, Way& other) {
  const bool visible = way.src.abort_is_visible();
  const absl::StatusOr<PeerEnd> end =
      way.src.WaitPeerEnd(PeerEnd::kGone, other.done.token());
  // Anything else: the other way has ended, or this kind of flow can't tell.
  if (!end.ok()) return;
  {
    absl::MutexLock lock(&mu_);
    if (over_ || other.at_eof) return;
    over_ = true;
    const ErrorKind kind =
        visible ? ErrorKind::kReset : ErrorKind::kClosedByPeer;
    other.dst_gone = MakeStatus(
        CodeOf(kind),
        absl::StrCat("the peer is gone, nobody is left to take what comes; ",
                     way.src.ToString()),
        {kind, 0, "wait_peer_end", "", "", 0});
  }
  // Without a visible abort the peer may have gone in order, and what it sent
  // may still be on its way: an abort of the other side could destroy that.
  End(/*abort=*/visible);
}

bool Relaying::BeginEnd() {
  absl::MutexLock lock(&mu_);
  if (over_) return false;
  over_ = true;
  return true;
}

void Relaying::End(bool abort) {
  for (Flow* flow : {&a_to_b_.dst, &a_to_b_.src}) {
    // The failure of a flow that is given up says nothing new.
    (abort ? flow->Abort() : flow->Close()).IgnoreError();
  }
}

}  // namespace

CopyResult Copy(Flow& src, Flow& dst, const CopyOptions& options) {
  CopyResult result;
  result.read_status = CheckLimits(options.limits);
  if (!result.read_status.ok()) return result;
  const MonoTime begin = src.syscalls()->Now();
  internal::IdleClock idle(src.syscalls(), options.limits.stall_timeout);
  internal::Copier copier(src, dst, options.limits, idle);
  if (copier.Run(result) && options.end_sink) {
    static_cast<void>(copier.EndSink(result));
  }
  if (options.end_sink && !result.ok()) dst.Abort().IgnoreError();
  result.duration = src.syscalls()->Now() - begin;
  return result;
}

RelayResult Relay(Flow& a, Flow& b, const RelayOptions& options) {
  RelayResult result;
  result.a_to_b.read_status = CheckLimits(options.limits);
  result.b_to_a.read_status = result.a_to_b.read_status;
  if (!result.ok()) return result;
  return Relaying(a, b, options.limits).Run();
}

}  // namespace flow
