#include "flow/layers/counting.h"

#include <sys/uio.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "flow/layers/forwarding.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace {

// Several flows may count in one place, so this is a real addition.
void Add(std::atomic<uint64_t>& counter, uint64_t n) {
  counter.fetch_add(n, std::memory_order_relaxed);
}

uint64_t Load(const std::atomic<uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

}  // namespace

class CountingTransport final : public internal::ForwardingTransport {
 public:
  CountingTransport(std::unique_ptr<Transport> below,
                    std::shared_ptr<FlowCounters> counters)
      : ForwardingTransport("counting", std::move(below)),
        counters_(std::move(counters)) {
    Add(counters_->opened_, 1);
  }
  ~CountingTransport() override { CountClose(); }

  Attempt TryRead(absl::Span<const iovec> into) override {
    return Counted(counters_->read_, below().TryRead(into));
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    return Counted(counters_->written_, below().TryWrite(from));
  }
  Attempt TryFlush() override {
    const Attempt a = below().TryFlush();
    if (a.failed()) Add(counters_->written_.failures, 1);
    return a;
  }
  Attempt TryShutdown(ShutdownMode half) override {
    const Attempt a = ForwardingTransport::TryShutdown(half);
    if (half == ShutdownMode::kWrite && a.transferred()) {
      Add(counters_->written_.ends, 1);
    }
    return a;
  }
  void Abort() override {
    Add(counters_->aborted_, 1);
    below().Abort();
  }
  absl::Status Close() override {
    CountClose();
    return below().Close();
  }

  bool PollIsTruth() const override { return below().PollIsTruth(); }

 private:
  static Attempt Counted(FlowCounters::Direction& direction, const Attempt& a) {
    switch (a.kind()) {
      case Attempt::Kind::kTransferred:
        Add(direction.bytes, a.n());
        Add(direction.steps, 1);
        break;
      case Attempt::Kind::kWouldBlock:
        Add(direction.waits, 1);
        break;
      case Attempt::Kind::kEof:
        Add(direction.ends, 1);
        break;
      case Attempt::Kind::kFailed:
        Add(direction.failures, 1);
        break;
    }
    return a;
  }

  // By Close, or by the destructor if there was none.
  void CountClose() {
    if (!std::exchange(closed_, true)) Add(counters_->closed_, 1);
  }

  const std::shared_ptr<FlowCounters> counters_;
  bool closed_ = false;
};

DirectionCounts FlowCounters::Direction::Get() const {
  DirectionCounts counts;
  counts.bytes = Load(bytes);
  counts.steps = Load(steps);
  counts.waits = Load(waits);
  counts.ends = Load(ends);
  counts.failures = Load(failures);
  return counts;
}

FlowCounts FlowCounters::Get() const {
  FlowCounts counts;
  counts.read = read_.Get();
  counts.written = written_.Get();
  // In this order, so that no more are closed than were opened.
  counts.aborted = Load(aborted_);
  counts.closed = Load(closed_);
  counts.opened = Load(opened_);
  return counts;
}

std::string FlowCounts::ToString() const {
  return absl::StrCat(read.bytes, " B in ", read.steps, " steps, ",
                      written.bytes, " B out ", written.steps, " steps, ",
                      opened - closed, " of ", opened, " flows open");
}

absl::StatusOr<Flow> Count(Flow below, std::shared_ptr<FlowCounters> counters) {
  if (counters == nullptr) {
    return InvalidArgument("Count: there have to be counters");
  }
  return internal::Layered(
      std::move(below),
      [&counters](std::unique_ptr<Transport> transport, Syscalls* /*sys*/) {
        return std::make_unique<CountingTransport>(std::move(transport),
                                                   std::move(counters));
      });
}

std::string DirectionCounts::ToString() const {
  return absl::StrCat(bytes, " B in ", steps, " steps, ", waits, " waits, ",
                      ends, " ends, ", failures, " failures");
}

}  // namespace flow
