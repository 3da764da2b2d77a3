#include "flow/layers/throttle.h"

#include <sys/uio.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace {

// An exhausted bucket is waited for until it has this much worth of tokens.
constexpr double kQuantumSeconds = 0.010;
// More than any call moves; keeps the arithmetic away from overflow.
constexpr double kMaxTokens = 1e15;

// A token bucket. Used by one direction, so by one thread at a time.
class Bucket {
 public:
  Bucket(const ThrottleRate& rate, MonoTime now)
      : rate_(rate.bytes_per_second),
        burst_(rate.burst > 0
                   ? static_cast<double>(rate.burst)
                   : std::clamp(std::floor(rate_ * 2 * kQuantumSeconds), 1.0,
                                kMaxTokens)),
        quantum_(std::clamp(std::floor(rate_ * kQuantumSeconds), 1.0,
                            std::max(1.0, std::floor(burst_ / 2)))),
        tokens_(burst_),
        filled_at_(now) {}

  bool unlimited() const { return std::isinf(rate_); }

  // How many of `wanted` bytes may pass now. 0: none before ReadyAt().
  size_t Allowed(size_t wanted, MonoTime now) {
    Fill(now);
    if (tokens_ < std::min(static_cast<double>(wanted), quantum_)) return 0;
    return tokens_ >= static_cast<double>(wanted)
               ? wanted
               : static_cast<size_t>(tokens_);
  }

  // When Allowed(wanted) will be more than 0; after Allowed has filled it.
  MonoTime ReadyAt(size_t wanted) const {
    const double missing =
        std::min(static_cast<double>(wanted), quantum_) - tokens_;
    // Rounded up, or the one who wakes would be a nanosecond early.
    return filled_at_ + absl::Nanoseconds(std::ceil(missing / rate_ * 1e9));
  }

  void Take(size_t n) { tokens_ -= static_cast<double>(n); }

 private:
  void Fill(MonoTime now) {
    if (now <= filled_at_) return;
    tokens_ = std::min(
        burst_, tokens_ + absl::ToDoubleSeconds(now - filled_at_) * rate_);
    filled_at_ = now;
  }

  const double rate_;
  const double burst_;
  const double quantum_;
  double tokens_;
  MonoTime filled_at_;
};

using Parts = absl::InlinedVector<iovec, 16>;

size_t TotalLength(absl::Span<const iovec> parts) {
  size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  return total;
}

// The first `n` bytes of `parts`, n > 0.
Parts Trimmed(absl::Span<const iovec> parts, size_t n) {
  Parts trimmed;
  for (const iovec& part : parts) {
    trimmed.push_back({part.iov_base, std::min(part.iov_len, n)});
    n -= trimmed.back().iov_len;
    if (n == 0) break;
  }
  return trimmed;
}

class ThrottleTransport : public Transport {
 public:
  ThrottleTransport(std::unique_ptr<Transport> below,
                    const ThrottleOptions& options, Syscalls* sys)
      : below_(std::move(below)),
        sys_(sys),
        read_bucket_(options.read, sys->Now()),
        write_bucket_(options.write, sys->Now()) {}

  Attempt TryRead(absl::Span<const iovec> into) override {
    return Paced(read_bucket_, into, &Transport::TryRead);
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    return Paced(write_bucket_, from, &Transport::TryWrite);
  }
  Attempt TryFlush() override { return below_->TryFlush(); }
  Attempt TryShutdown(ShutdownMode half) override {
    // The read half below stays open for TryDrain; FlowState answers Eof.
    if (half == ShutdownMode::kRead) return Attempt::Transferred(0);
    return below_->TryShutdown(half);
  }
  Attempt TryPeerEnd(PeerEnd at_least) override {
    return below_->TryPeerEnd(at_least);
  }
  void Abort() override { below_->Abort(); }
  absl::Status Close() override { return below_->Close(); }
  void CloseAfterFork() override { below_->CloseAfterFork(); }
  absl::Status last_error() const override { return below_->last_error(); }

  bool is_layer() const override { return true; }
  // Not paced: these bytes are dropped.
  Attempt TryDrain(absl::Span<const iovec> scratch) override {
    return below_->is_layer() ? below_->TryDrain(scratch)
                              : below_->TryRead(scratch);
  }

  bool can_read() const override { return below_->can_read(); }
  bool can_write() const override { return below_->can_write(); }
  bool abort_is_visible() const override { return below_->abort_is_visible(); }
  bool ends_are_visible() const override { return below_->ends_are_visible(); }
  int native_handle() const override { return below_->native_handle(); }
  int read_handle() const override { return below_->read_handle(); }
  int write_handle() const override { return below_->write_handle(); }
  absl::string_view read_name() const override { return below_->read_name(); }
  Endpoint local() const override { return below_->local(); }
  Endpoint peer() const override { return below_->peer(); }

 private:
  using Try = Attempt (Transport::*)(absl::Span<const iovec>);

  Attempt Paced(Bucket& bucket, absl::Span<const iovec> parts, Try attempt) {
    if (bucket.unlimited()) return (below_.get()->*attempt)(parts);
    const size_t wanted = TotalLength(parts);
    const size_t allowed = bucket.Allowed(wanted, sys_->Now());
    if (allowed == 0) {
      return Attempt::WouldBlock(Wait::Until(bucket.ReadyAt(wanted)));
    }
    const Attempt done =
        allowed == wanted ? (below_.get()->*attempt)(parts)
                          : (below_.get()->*attempt)(Trimmed(parts, allowed));
    if (done.transferred()) bucket.Take(done.n());
    return done;
  }

  const std::unique_ptr<Transport> below_;
  Syscalls* const sys_;
  Bucket read_bucket_;   // of the read direction
  Bucket write_bucket_;  // of the write direction
};

absl::Status Check(absl::string_view side, const ThrottleRate& rate) {
  // Written so that a NaN is refused too.
  if (!(rate.bytes_per_second > 0)) {
    return InvalidArgument(absl::StrCat(
        "Throttle: ", side, ".bytes_per_second must be above 0, not ",
        rate.bytes_per_second));
  }
  if (rate.burst < 0) {
    return InvalidArgument(absl::StrCat(
        "Throttle: ", side, ".burst must not be negative: ", rate.burst));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Flow> Throttle(Flow below, const ThrottleOptions& options) {
  if (absl::Status s = Check("read", options.read); !s.ok()) return s;
  if (absl::Status s = Check("write", options.write); !s.ok()) return s;
  Syscalls* const sys =
      below.syscalls() != nullptr ? below.syscalls() : Syscalls::Real();
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      below.ReleaseTransport();
  if (!transport.ok()) return transport.status();
  return Flow(
      std::make_unique<ThrottleTransport>(*std::move(transport), options, sys),
      sys);
}

}  // namespace flow
