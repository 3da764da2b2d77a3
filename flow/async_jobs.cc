#include "flow/async_jobs.h"

#include <algorithm>
#include <optional>

#include "flow/observer.h"
#include "flow/stats.h"

namespace flow {
namespace internal {
namespace {

// As long as a blocking Close waits (flow/core_closing.cc).
constexpr absl::Duration kCloseWait = absl::Milliseconds(100);

std::unique_ptr<Pieces> PiecesOf(const OwnedBytes& bytes) {
  if (!bytes.cord.empty()) return std::make_unique<CordPieces>(bytes.cord);
  return std::make_unique<ViewPieces>(bytes.views);
}

}  // namespace

Job& AsyncRead::job() {
  job_.set_hint(flow().core().read_hint());
  return job_;
}

void AsyncRead::Deliver(bool done) {
  if (done) return std::move(sink_)(OrEof<Buffer>(std::move(job_.buffer())));
  if (at_eof()) return std::move(sink_)(OrEof<Buffer>(Eof{}));
  std::move(sink_)(status());
}

void AsyncReadInto::Deliver(bool done) {
  if (done) return std::move(sink_)(OrEof<size_t>(job_.got()));
  if (at_eof()) return std::move(sink_)(OrEof<size_t>(Eof{}));
  std::move(sink_)(status());
}

void OwnedBytes::ViewStrings() { views.assign(strings.begin(), strings.end()); }

uint64_t OwnedBytes::size() const {
  uint64_t size = cord.size();
  for (const absl::string_view view : views) size += view.size();
  return size;
}

AsyncWrite::AsyncWrite(std::shared_ptr<AsyncCore> flow,
                       std::unique_ptr<OwnedBytes> bytes, const Limits& limits,
                       Sink<absl::Status> sink)
    : AsyncOp(std::move(flow), Role::kWrite, limits, "write", bytes->size()),
      bytes_(std::move(bytes)),
      pieces_(PiecesOf(*bytes_)),
      space_(bytes_->cord.empty() ? std::min(bytes_->views.size(), kMaxIovecs)
                                  : kMaxIovecs / 16),
      job_(std::make_unique<WriteJob>(*pieces_, absl::MakeSpan(space_))),
      sink_(std::move(sink)) {}

void AsyncWrite::Deliver(bool done) {
  std::move(sink_)(done ? absl::OkStatus() : status());
}

void AsyncWriteSome::Deliver(bool done) {
  // Taken, even if the push then failed: the next call tells that.
  if (done || job_.taken() > 0) return std::move(sink_)(job_.taken());
  std::move(sink_)(status());
}

void AsyncShutdown::Deliver(bool done) {
  // It is as the caller wants it, or there is nothing to be done any more.
  std::move(sink_)(done || is_shut() ? absl::OkStatus() : status());
}

void AsyncDrain::Deliver(bool done) {
  std::move(sink_)(done || at_eof() ? absl::OkStatus() : status());
}

AsyncClose::AsyncClose(std::shared_ptr<AsyncCore> flow, Aside told,
                       Sink<absl::Status> sink)
    : flow_(std::move(flow)),
      sink_(std::move(sink)),
      give_up_(flow_->core().sys()->Now() + kCloseWait),
      told_(std::move(told)) {}

void AsyncClose::Start(const std::shared_ptr<AsyncCore>& flow, bool abort,
                       Sink<absl::Status> sink) {
  if (flow->poller().in_forked_child()) {
    // Destroying the handle closes the descriptors, and nothing else is
    // allowed.
    return std::move(sink)(absl::OkStatus());
  }
  Aside told(flow->core(),
             abort ? OperationKind::kAbort : OperationKind::kClose,
             abort ? "abort" : "close");
  told.Begun();
  flow->core().StartClose(abort);
  std::optional<absl::Status> known = flow->core().CloseResult();
  if (known.has_value() || !flow->poller().Begin()) {
    absl::Status result = std::move(known).value_or(absl::OkStatus());
    told.Ended(result.code());
    return std::move(sink)(std::move(result));
  }
  flow->CountOutstanding(1);
  flow->poller().MakeReady(
      *new AsyncClose(flow, std::move(told), std::move(sink)));
}

void AsyncClose::OnReady() {
  const uint64_t seq = flow_->core().signal().seq();
  const std::optional<absl::Status> result = flow_->core().CloseResult();
  if (!result.has_value() && !flow_->poller().stopping() &&
      flow_->core().sys()->Now() < give_up_) {
    told_.Waits(Activity::kSignal, give_up_);
    return flow_->poller().Park(
        *this, flow_->parked(), Wait(), nullptr, give_up_,
        [this, seq] { return flow_->core().signal().seq() != seq; });
  }
  told_.Ended(result.value_or(absl::OkStatus()).code());
  flow_->CountOutstanding(-1);
  {
    const Poller::Handing handing(&flow_->poller());
    std::move(sink_)(result.value_or(absl::OkStatus()));
  }
  delete this;
}

AsyncPeerEnd::AsyncPeerEnd(std::shared_ptr<AsyncCore> flow, PeerEnd at_least,
                           const Limits& limits, Sink<Result> sink)
    : flow_(std::move(flow)), limits_(limits), sink_(std::move(sink)) {
  watch_.emplace(flow_->core(), at_least, limits_);
}

void AsyncPeerEnd::Start(const std::shared_ptr<AsyncCore>& flow,
                         PeerEnd at_least, const Limits& limits,
                         Sink<Result> sink) {
  absl::Status refusal = flow->Refusal();
  if (refusal.ok() && !flow->poller().Begin()) refusal = flow->Refusal();
  if (!refusal.ok()) return std::move(sink)(std::move(refusal));
  flow->CountOutstanding(1);
  auto* const op = new AsyncPeerEnd(flow, at_least, limits, std::move(sink));
  absl::Status begun = op->watch_->Begin();
  if (!begun.ok()) return op->Finish(std::move(begun));
  op->Look();
}

void AsyncPeerEnd::OnReady() {
  absl::Status status = watch_->Resume(flow_->poller().stopping()
                                           ? Woke::kStopped
                                           : watch_->sleeper().PassedLimit());
  if (!status.ok()) return Finish(std::move(status));
  Look();
}

void AsyncPeerEnd::Look() {
  const std::optional<PeerEnd> known = watch_->Recorded();
  if (known.has_value()) return Finish(*known);
  const uint32_t shuts = flow_->parked().shuts();
  const Attempt a = watch_->Try();
  if (a.transferred()) return Finish(static_cast<PeerEnd>(a.n()));
  if (!a.would_block()) return Finish(watch_->FailureOf(a));
  watch_->sleeper().BeginWait();
  const Wait wait =
      watch_->sleeper().Calmed(a.wait(), woken_by_fd(), kFutileParked);
  watch_->Parks(wait);
  flow_->poller().Park(*this, flow_->parked(), wait, limits_.cancel.signal(),
                       watch_->sleeper().LimitInstant(), [this, &wait, shuts] {
                         return watch_->sleeper().Signalled(wait) ||
                                flow_->parked().shuts() != shuts;
                       });
}

void AsyncPeerEnd::Finish(Result result) {
  result = watch_->Over(std::move(result));
  watch_.reset();
  flow_->CountOutstanding(-1);
  {
    const Poller::Handing handing(&flow_->poller());
    std::move(sink_)(std::move(result));
  }
  delete this;
}

}  // namespace internal
}  // namespace flow
