#include "flow/layers/fault.h"

#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/layers/delay_queue.h"
#include "flow/layers/fault_random.h"
#include "flow/layers/forwarding.h"
#include "flow/layers/iovecs.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace {

// A step of a write is at most so long: it is looked through for bytes to
// corrupt.
constexpr size_t kStretch = 64 << 10;
constexpr uint64_t kNowhere = std::numeric_limits<uint64_t>::max();

// One direction, and used by it alone. The sequences of chance are apart, so
// that one fault more does not move the others.
class Side {
 public:
  Side(const DirectionFaults& faults, uint64_t seed)
      : corruption(faults.corrupt_at, faults.corrupt, seed ^ 1),
        end_at(std::min(faults.cut_at.value_or(kNowhere),
                        faults.reset_at.value_or(kNowhere))),
        ends_with_reset(faults.reset_at.value_or(kNowhere) <
                        faults.cut_at.value_or(kNowhere)),
        delays(faults.delay > absl::ZeroDuration() ||
               faults.jitter > absl::ZeroDuration()),
        max_step_(faults.max_step),
        delay_(faults.delay),
        jitter_(faults.jitter),
        steps_(seed ^ 2),
        jitters_(seed ^ 3) {}

  const internal::Corruption corruption;
  const uint64_t end_at;
  const bool ends_with_reset;
  const bool delays;
  uint64_t position = 0;

  // How many of `wanted` bytes this step may move; the same until it has.
  size_t Step(size_t wanted) {
    if (max_step_ > 0 && step_ == 0) {
      step_ = static_cast<size_t>(1 + steps_.Below(max_step_));
    }
    const uint64_t left = end_at - position;
    return static_cast<size_t>(std::min<uint64_t>(
        left, step_ == 0 ? wanted : std::min(wanted, step_)));
  }

  void Passed(size_t n) {
    position += n;
    step_ = 0;
  }

  absl::Duration NextDelay() { return delay_ + jitter_ * jitters_.Fraction(); }

 private:
  const size_t max_step_;
  const absl::Duration delay_;
  const absl::Duration jitter_;
  internal::FaultRandom steps_;
  internal::FaultRandom jitters_;
  size_t step_ = 0;  // 0: not drawn yet
};

class FaultTransport final : public internal::ForwardingTransport {
 public:
  FaultTransport(std::unique_ptr<Transport> transport, const FaultPlan& plan,
                 Syscalls* sys)
      : ForwardingTransport("fault", std::move(transport)),
        sys_(sys),
        read_(plan.read, internal::Mixed(plan.seed)),
        write_(plan.write, internal::Mixed(~plan.seed)),
        queue_(&below(), sys, plan.max_held) {}

  Attempt TryRead(absl::Span<const iovec> into) override;
  Attempt TryWrite(absl::Span<const iovec> from) override;
  Attempt TryFlush() override;
  Attempt TryShutdown(ShutdownMode half) override;
  Attempt TryPeerEnd(PeerEnd at_least) override {
    return ended() ? Attempt::Peer(PeerEnd::kGone)
                   : below().TryPeerEnd(at_least);
  }
  Attempt TryDrain(absl::Span<const iovec> scratch) override {
    return ended() ? Attempt::Eof() : ForwardingTransport::TryDrain(scratch);
  }
  void Abort() override {
    if (!aborted_.exchange(true)) below().Abort();
  }

 private:
  bool ended() const { return ended_by_.load() != nullptr; }
  // This side has come to its end, which is that of both.
  Attempt End(const Side& side, absl::string_view operation);
  // What a call is told after that.
  Attempt Ended(absl::string_view operation);

  Attempt ReadBelow(absl::Span<const iovec> into);
  Attempt WriteBelow(absl::Span<const iovec> from, size_t n);
  Attempt WriteCorrupted(absl::Span<const iovec> from);
  // Whether the delay of a Write, or of an end mark, is over.
  bool IsDue();

  Syscalls* const sys_;
  Side read_;
  Side write_;
  internal::DelayQueue queue_;
  // Of the write direction: when it may go on, and whether it does already.
  MonoTime due_ = MonoTime::Past();
  bool is_delaying_ = false;
  bool goes_on_ = false;

  std::atomic<const Side*> ended_by_{nullptr};
  std::atomic<bool> aborted_{false};
};

// -------------------------------------------------------------------- reading

Attempt FaultTransport::TryRead(absl::Span<const iovec> into) {
  if (ended()) return Ended(read_name());
  if (read_.position == read_.end_at) return End(read_, read_name());
  const size_t wanted = internal::TotalLength(into);
  const size_t allowed = read_.Step(wanted);
  const Attempt a = allowed == wanted
                        ? ReadBelow(into)
                        : ReadBelow(internal::FirstOf(into, allowed));
  if (!a.transferred()) return a;
  uint64_t at = read_.position;
  internal::ForFirst(into, a.n(), [this, &at](absl::Span<char> piece) {
    const uint64_t end = at + piece.size();
    for (uint64_t hit = read_.corruption.NextHit(at, end); hit < end;
         hit = read_.corruption.NextHit(hit + 1, end)) {
      piece[hit - at] = read_.corruption.Flipped(hit, piece[hit - at]);
    }
    at = end;
  });
  read_.Passed(a.n());
  return a;
}

Attempt FaultTransport::ReadBelow(absl::Span<const iovec> into) {
  if (!read_.delays) return below().TryRead(into);
  const Attempt a = queue_.TryRead(into, [this] { return read_.NextDelay(); });
  if (a.failed() && !queue_.words().ok()) Tell(queue_.words());
  return a;
}

// -------------------------------------------------------------------- writing

Attempt FaultTransport::TryWrite(absl::Span<const iovec> from) {
  if (ended()) return Ended("write");
  if (write_.position == write_.end_at) return End(write_, "write");
  if (!IsDue()) return Attempt::WouldBlock(Wait::Until(due_));
  const size_t allowed = write_.Step(internal::TotalLength(from));
  const uint64_t at = write_.position;
  const uint64_t end = at + std::min<size_t>(allowed, kStretch);
  const uint64_t hit = write_.corruption.NextHit(at, end);
  const Attempt a = hit == at ? WriteCorrupted(from)
                              : WriteBelow(from, static_cast<size_t>(hit - at));
  if (a.transferred()) write_.Passed(a.n());
  return a;
}

Attempt FaultTransport::WriteBelow(absl::Span<const iovec> from, size_t n) {
  if (n == internal::TotalLength(from)) return below().TryWrite(from);
  return below().TryWrite(internal::FirstOf(from, n));
}

// A byte on its own, since the caller's must stay as they are.
Attempt FaultTransport::WriteCorrupted(absl::Span<const iovec> from) {
  char byte = write_.corruption.Flipped(
      write_.position, *static_cast<const char*>(from[0].iov_base));
  const iovec one = {&byte, 1};
  return below().TryWrite(absl::MakeConstSpan(&one, 1));
}

bool FaultTransport::IsDue() {
  if (!write_.delays || goes_on_) return true;
  if (!std::exchange(is_delaying_, true)) {
    due_ = sys_->Now() + write_.NextDelay();
  }
  if (sys_->Now() < due_) return false;
  is_delaying_ = false;
  goes_on_ = true;
  return true;
}

Attempt FaultTransport::TryFlush() {
  if (ended()) return Ended("write");
  if (write_.position == write_.end_at) return End(write_, "write");
  const Attempt a = below().TryFlush();
  // The Write is over; the next one has a delay of its own.
  if (!a.would_block()) goes_on_ = false;
  return a;
}

Attempt FaultTransport::TryShutdown(ShutdownMode half) {
  if (half == ShutdownMode::kRead) {
    queue_.Clear();
    return ForwardingTransport::TryShutdown(half);
  }
  if (ended()) return Attempt::Transferred(0);
  if (!IsDue()) return Attempt::WouldBlock(Wait::Until(due_));
  return below().TryShutdown(half);
}

// --------------------------------------------------------------------- ending

Attempt FaultTransport::End(const Side& side, absl::string_view operation) {
  const Side* nobody = nullptr;
  if (ended_by_.compare_exchange_strong(nobody, &side)) Abort();
  return Ended(operation);
}

Attempt FaultTransport::Ended(absl::string_view operation) {
  const Side& side = *ended_by_.load();
  const std::string where =
      absl::StrCat(" (a fault injected after ", side.end_at, " bytes ",
                   &side == &read_ ? "read" : "written", ")");
  if (!side.ends_with_reset) {
    return FailWith(absl::DataLossError(absl::StrCat(
                        operation, "() failed: the stream was cut", where)),
                    ErrorKind::kTruncated, ErrorScope::kFlow);
  }
  Tell(absl::UnavailableError(
      absl::StrCat(operation, "() failed: ", ErrnoText(ECONNRESET), where)));
  return Attempt::Failed(ECONNRESET, ErrorScope::kFlow);
}

absl::Status Check(absl::string_view side, const DirectionFaults& faults) {
  const absl::Duration longest = absl::InfiniteDuration();
  for (const absl::Duration d : {faults.delay, faults.jitter}) {
    if (d < absl::ZeroDuration() || d == longest) {
      return InvalidArgument(
          absl::StrCat("InjectFaults: ", side,
                       " delay and jitter must be finite and not negative: ",
                       absl::FormatDuration(d)));
    }
  }
  // Written so that a NaN is refused too.
  if (!(faults.corrupt >= 0 && faults.corrupt <= 1)) {
    return InvalidArgument(absl::StrCat("InjectFaults: ", side,
                                        ".corrupt must be from 0 to 1, not ",
                                        faults.corrupt));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Flow> InjectFaults(Flow below, const FaultPlan& plan) {
  if (absl::Status s = Check("read", plan.read); !s.ok()) return s;
  if (absl::Status s = Check("write", plan.write); !s.ok()) return s;
  if (plan.max_held == 0) {
    return InvalidArgument("InjectFaults: max_held must be above 0");
  }
  return internal::Layered(
      std::move(below),
      [&plan](std::unique_ptr<Transport> transport, Syscalls* sys) {
        return std::make_unique<FaultTransport>(std::move(transport), plan,
                                                sys);
      });
}

std::string DirectionFaults::ToString() const {
  std::string text;
  if (delay != absl::ZeroDuration() || jitter != absl::ZeroDuration()) {
    absl::StrAppend(&text, ", delay ", absl::FormatDuration(delay));
  }
  if (jitter != absl::ZeroDuration()) {
    absl::StrAppend(&text, " to ", absl::FormatDuration(delay + jitter));
  }
  if (max_step > 0) {
    absl::StrAppend(&text, ", steps of at most ", max_step, " B");
  }
  if (!corrupt_at.empty()) {
    absl::StrAppend(&text, ", ", corrupt_at.size(), " bytes corrupted");
  }
  if (corrupt > 0) absl::StrAppend(&text, ", corrupt ", corrupt);
  if (cut_at.has_value()) absl::StrAppend(&text, ", cut at ", *cut_at);
  if (reset_at.has_value()) absl::StrAppend(&text, ", reset at ", *reset_at);
  return text.empty() ? "none" : text.substr(2);
}

std::string FaultPlan::ToString() const {
  return absl::StrCat("seed ", seed, "; read: ", read.ToString(),
                      "; write: ", write.ToString());
}

}  // namespace flow
