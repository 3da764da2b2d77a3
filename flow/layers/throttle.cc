#include "flow/layers/throttle.h"

#include <sys/uio.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/layers/forwarding.h"
#include "flow/layers/iovecs.h"
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

class ThrottleTransport final : public internal::ForwardingTransport {
 public:
  ThrottleTransport(std::unique_ptr<Transport> below,
                    const ThrottleOptions& options, Syscalls* sys)
      : ForwardingTransport("throttle", std::move(below)),
        sys_(sys),
        read_bucket_(options.read, sys->Now()),
        write_bucket_(options.write, sys->Now()) {}

  Attempt TryRead(absl::Span<const iovec> into) override {
    return Paced(read_bucket_, into, &Transport::TryRead);
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    return Paced(write_bucket_, from, &Transport::TryWrite);
  }

 private:
  using Try = Attempt (Transport::*)(absl::Span<const iovec>);

  Attempt Paced(Bucket& bucket, absl::Span<const iovec> parts, Try attempt) {
    if (bucket.unlimited()) return (below().*attempt)(parts);
    const size_t wanted = internal::TotalLength(parts);
    const size_t allowed = bucket.Allowed(wanted, sys_->Now());
    if (allowed == 0) {
      return Attempt::WouldBlock(Wait::Until(bucket.ReadyAt(wanted)));
    }
    const Attempt done =
        allowed == wanted
            ? (below().*attempt)(parts)
            : (below().*attempt)(internal::FirstOf(parts, allowed));
    if (done.transferred()) bucket.Take(done.n());
    return done;
  }

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
  return internal::Layered(
      std::move(below),
      [&options](std::unique_ptr<Transport> transport, Syscalls* sys) {
        return std::make_unique<ThrottleTransport>(std::move(transport),
                                                   options, sys);
      });
}

std::string ThrottleRate::ToString() const {
  if (bytes_per_second == std::numeric_limits<double>::infinity()) {
    return "no limit";
  }
  return absl::StrCat(bytes_per_second, " B/s",
                      burst == 0 ? "" : absl::StrCat(", burst ", burst, " B"));
}

std::string ThrottleOptions::ToString() const {
  return absl::StrCat("read: ", read.ToString(), "; write: ", write.ToString());
}

}  // namespace flow
