#include "flow/layers/layers_test_support.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/layers/counting.h"
#include "flow/layers/fault.h"
#include "flow/layers/limit.h"
#include "flow/layers/logging.h"
#include "flow/layers/prefix.h"
#include "flow/layers/tee.h"
#include "flow/layers/throttle.h"
#include "flow/or_eof.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"

namespace flow_testing {
namespace {

using ::flow::Attempt;
using ::flow::Flow;
using ::flow::ShutdownMode;
using ::flow::Wait;

class Hole final : public flow::Transport {
 public:
  explicit Hole(size_t at_most) : at_most_(at_most) {}

  Attempt TryRead(absl::Span<const iovec> /*into*/) override {
    return Attempt::WouldBlock(Wait());
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    size_t total = 0;
    for (const iovec& part : from) total += part.iov_len;
    if (at_most_ == 0) return Attempt::Transferred(total);
    full_ = !full_;
    if (!full_) return Attempt::WouldBlock(Wait::Until(flow::MonoTime::Past()));
    return Attempt::Transferred(std::min(total, at_most_));
  }
  Attempt TryShutdown(ShutdownMode /*half*/) override {
    return Attempt::Transferred(0);
  }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const size_t at_most_;
  bool full_ = false;
};

absl::StatusOr<Flow> Throttled(Flow below) {
  flow::ThrottleOptions options;
  options.read.bytes_per_second = options.write.bytes_per_second = 1e12;
  options.read.burst = options.write.burst = 1'000'000'000'000;
  return flow::Throttle(std::move(below), options);
}

// A prefix that has been read already; by another flow, so that this one's
// statistics begin at 0.
absl::StatusOr<Flow> Prefixed(Flow below) {
  flow::Syscalls* const sys = below.syscalls();
  absl::StatusOr<Flow> with =
      flow::Prefix(std::move(below), absl::string_view("!"));
  if (!with.ok()) return with;
  char byte = 0;
  absl::StatusOr<flow::OrEof<size_t>> read =
      with->ReadInto(absl::MakeSpan(&byte, 1));
  if (!read.ok()) return read.status();
  if (byte != '!') return absl::InternalError("no prefix");
  absl::StatusOr<std::unique_ptr<flow::Transport>> transport =
      with->ReleaseTransport();
  if (!transport.ok()) return transport.status();
  return Flow(*std::move(transport), sys);
}

absl::StatusOr<Flow> Counted(Flow below) {
  return flow::Count(std::move(below), std::make_shared<flow::FlowCounters>());
}

absl::StatusOr<Flow> Logged(Flow below) {
  return flow::Log(std::move(below),
                   std::make_shared<flow::LogSink>([](absl::string_view) {}));
}

absl::StatusOr<Flow> Limited(Flow below) {
  flow::ByteLimits limits;
  limits.read.bytes = limits.write.bytes = uint64_t{1} << 40;
  return flow::LimitBytes(std::move(below), limits);
}

absl::StatusOr<Flow> TeedTo(Flow below, size_t at_most) {
  flow::TeeOptions options;
  options.read_to = Flow(BlackHole(at_most));
  options.written_to = Flow(BlackHole(at_most));
  return flow::Tee(std::move(below), std::move(options));
}

absl::StatusOr<Flow> Teed(Flow below) { return TeedTo(std::move(below), 0); }

absl::StatusOr<Flow> Faultless(Flow below) {
  return flow::InjectFaults(std::move(below), flow::FaultPlan());
}

}  // namespace

std::ostream& operator<<(std::ostream& os, const TestedLayer& layer) {
  return os << layer.name;
}

std::unique_ptr<flow::Transport> BlackHole(size_t at_most) {
  return std::make_unique<Hole>(at_most);
}

std::vector<TestedLayer> AllLayers() {
  return {{"throttle", Throttled}, {"prefix", Prefixed}, {"counting", Counted},
          {"logging", Logged},     {"limit", Limited},   {"tee", Teed},
          {"fault", Faultless}};
}

PutOn LayerNamed(const std::string& name) {
  for (const TestedLayer& layer : AllLayers()) {
    if (layer.name == name) return layer.put;
  }
  return [](Flow) { return absl::NotFoundError("no such layer"); };
}

absl::StatusOr<Flow> Slow(Flow below) {
  flow::ThrottleOptions options;
  options.read.bytes_per_second = options.write.bytes_per_second = 3e8;
  options.write.burst = 100'000;
  return flow::Throttle(std::move(below), options);
}

absl::StatusOr<Flow> InCrumbs(Flow below) {
  flow::FaultPlan plan;
  plan.read.max_step = plan.write.max_step = 100'000;
  // (Not of writes: the suite takes a write that waits for one that has filled
  // the stream.)
  plan.read.delay = absl::Microseconds(20);
  plan.read.jitter = absl::Microseconds(50);
  return flow::InjectFaults(std::move(below), plan);
}

absl::StatusOr<Flow> WithSlowSinks(Flow below) {
  return TeedTo(std::move(below), 20'000);
}

std::function<absl::StatusOr<FlowPair>()> BothEnds(
    std::function<absl::StatusOr<FlowPair>()> below, PutOn put) {
  return [below = std::move(below),
          put = std::move(put)]() -> absl::StatusOr<FlowPair> {
    absl::StatusOr<FlowPair> pair = below();
    if (!pair.ok()) return pair.status();
    absl::StatusOr<Flow> first = put(std::move(pair->first));
    if (!first.ok()) return first.status();
    absl::StatusOr<Flow> second = put(std::move(pair->second));
    if (!second.ok()) return second.status();
    return FlowPair(*std::move(first), *std::move(second));
  };
}

}  // namespace flow_testing
