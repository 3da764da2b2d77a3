#include "flow/net/server_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/sleeper.h"
#include "flow/status.h"
#include "flow/sys/fork_generation.h"
#include "flow/transport.h"

namespace flow {
namespace internal {
namespace {

// After the system had no thread to give: at most eight askings a second, as
// for descriptors.
constexpr absl::Duration kThreadPause = absl::Milliseconds(125);

}  // namespace

ServerCore::ServerCore(Listener listener, ConnectionHandler handler,
                       ServeOptions options)
    : options_(std::move(options)),
      sys_(options_.sys != nullptr ? options_.sys : Syscalls::Real()),
      generation_(ForkGeneration()),
      handler_(std::move(handler)),
      listener_(std::move(listener)),
      keeper_(options_, sys_),
      threads_(
          [this](std::unique_ptr<Served> served) {
            ServeOne(std::move(served));
          },
          options_.thread_linger, sys_) {}

absl::Status ServerCore::Start() {
  if (keeper_.Start()) {
    absl::MutexLock lock(&join_mu_);
    if (thread_.StartWithoutSignals(
            "flow-accept", [self = shared_from_this()] { self->Run(); },
            sys_)) {
      return absl::OkStatus();
    }
    keeper_.Stop();
  }
  return MakeStatus(
      absl::StatusCode::kResourceExhausted,
      "serve failed: the system has no thread to give; " + listener_.address(),
      {});
}

void ServerCore::Run() {
  const absl::Status accepting = AcceptAll();
  Drain();
  threads_.Join();
  keeper_.Stop();
  const absl::Status result = Result(accepting);
  {
    absl::MutexLock lock(&mu_);
    result_ = result;
    ended_ = true;
  }
  end_.Notify();
}

absl::Status ServerCore::AcceptAll() {
  for (;;) {
    Await(
        [this] {
          absl::MutexLock lock(&mu_);
          return stop_asked_ || stats_.active < options_.max_connections;
        },
        options_.stop);
    if (IsToStop()) return absl::OkStatus();
    if (!threads_.Reserve()) {
      PauseForThread();
      continue;
    }
    absl::StatusOr<Flow> flow = listener_.Accept(options_.stop);
    if (flow.ok()) {
      Admit(*std::move(flow));
      continue;
    }
    // Nothing but the token and its deadline limits it.
    const ErrorKind kind = KindOf(flow.status());
    if (stop_asked() || kind == ErrorKind::kCancelled ||
        kind == ErrorKind::kDeadline) {
      return absl::OkStatus();
    }
    return flow.status();
  }
}

void ServerCore::PauseForThread() {
  {
    absl::MutexLock lock(&mu_);
    ++stats_.thread_failures;
  }
  Limits pause = options_.stop;
  pause.deadline = sys_->Now() + kThreadPause;
  Await([this] { return stop_asked(); }, pause);
}

void ServerCore::Admit(Flow flow) {
  std::unique_ptr<Served> served;
  {
    absl::MutexLock lock(&mu_);
    served = std::make_unique<Served>(++stats_.accepted, std::move(flow),
                                      options_, stopping_.token(), sys_);
    stats_.max_active = std::max(stats_.max_active, ++stats_.active);
    live_.insert(served.get());
  }
  keeper_.Add(served.get());
  threads_.Give(std::move(served));
}

void ServerCore::Await(absl::FunctionRef<bool()> over, const Limits& limits) {
  Sleeper sleeper(sys_, limits, &change_);
  for (;;) {
    sleeper.Arm();
    if (over() || sleeper.Check() != Woke::kRetry) return;
    if (sleeper.Sleep(Wait()) != Woke::kRetry) return;
  }
}

void ServerCore::Drain() {
  if (!stop_asked()) BeginStop();
  listener_.Close().IgnoreError();
  stopping_.Cancel();
  if (options_.end_reads_at_stop) {
    for (const CoreHold& flow : Holds()) flow.EndReads();
  }
  const auto idle = [this] {
    absl::MutexLock lock(&mu_);
    return stats_.active == 0;
  };
  MonoTime by = kNever;
  do {
    by = drained_by();
    Await(
        [this, by] {
          absl::MutexLock lock(&mu_);
          return stats_.active == 0 || drained_by_ < by;
        },
        by);
  } while (drained_by() < by);  // another Stop has brought it nearer
  {
    absl::MutexLock lock(&mu_);
    for (Served* const served : live_) served->CutForDrain();
  }
  Await(idle, sys_->Now() + options_.cut_grace);
  for (const CoreHold& flow : Holds()) flow.Abort();
  Await(idle, Limits());
}

std::vector<CoreHold> ServerCore::Holds() {
  std::vector<CoreHold> holds;
  absl::MutexLock lock(&mu_);
  holds.reserve(live_.size());
  for (const Served* const served : live_) holds.push_back(served->hold());
  return holds;
}

absl::Status ServerCore::Result(const absl::Status& accepting) {
  if (!accepting.ok()) return accepting;
  absl::MutexLock lock(&mu_);
  if (stats_.cut_drain == 0) return absl::OkStatus();
  ErrorDetail detail;
  detail.kind = ErrorKind::kDeadline;
  detail.operation = "stop";
  return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                    absl::StrCat("stop() cut ", stats_.cut_drain,
                                 " connections that had not finished in time"),
                    detail);
}

void ServerCore::BeginStop(MonoTime deadline) {
  {
    absl::MutexLock lock(&mu_);
    drained_by_ = std::min(drained_by_, deadline);
    stop_asked_ = true;
  }
  // Which wakes the accepting thread if it is there.
  listener_.Close().IgnoreError();
  change_.Notify();
}

MonoTime ServerCore::drained_by() const {
  absl::MutexLock lock(&mu_);
  return drained_by_;
}

bool ServerCore::stop_asked() const {
  absl::MutexLock lock(&mu_);
  return stop_asked_;
}

bool ServerCore::IsToStop() const {
  if (stop_asked() || options_.stop.cancelled()) return true;
  const MonoTime deadline = options_.stop.deadline();
  return !deadline.is_never() && sys_->Now() >= deadline;
}

absl::Status ServerCore::AwaitEnd(const Limits& limits,
                                  absl::string_view operation) {
  Sleeper sleeper(sys_, limits, &end_);
  for (;;) {
    sleeper.Arm();
    if (ended()) break;
    Woke woke = sleeper.Check();
    if (woke == Woke::kRetry) woke = sleeper.Sleep(Wait());
    if (woke != Woke::kRetry && !ended()) {
      return LimitStatus(woke, operation, listener_.address(), 0);
    }
  }
  {
    absl::MutexLock lock(&join_mu_);
    thread_.JoinUnlessSelf();
  }
  absl::MutexLock lock(&mu_);
  return result_;
}

void ServerCore::LetGo() {
  absl::MutexLock lock(&join_mu_);
  thread_.Detach();
}

bool ServerCore::ended() const {
  absl::MutexLock lock(&mu_);
  return ended_;
}

void ServerCore::CloseAfterFork() {
  listener_ = Listener();
  // If it was held at the fork it is held for ever, and what it guards may be
  // half done.
  if (!mu_.TryLock()) return;
  for (Served* const served : live_) served->CloseAfterFork();
  mu_.Unlock();
}

bool ServerCore::IsForeign() const { return generation_ != ForkGeneration(); }

ServeStats ServerCore::GetStats() const {
  ServeStats stats;
  {
    absl::MutexLock lock(&mu_);
    stats = stats_;
  }
  stats.threads = threads_.count();
  stats.listener = listener_.GetStats();
  return stats;
}

}  // namespace internal
}  // namespace flow
