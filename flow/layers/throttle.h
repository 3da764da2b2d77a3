// File: throttle.h
//
// Throttle: a flow that lets only so many bytes a second through.
//
//   flow::ThrottleOptions slow;
//   slow.write.bytes_per_second = 64 * 1024;
//   absl::StatusOr<flow::Flow> upload =
//       flow::Throttle(*std::move(connection), slow);
//
// Also known as: rate limiter, traffic shaper, token bucket, slow link. Each
// direction has a bucket of its own, which fills at `bytes_per_second` up to
// `burst`, is full at the start, and gives one token for each byte. While it is
// empty calls wait, under their limits as ever; nothing is buffered and nothing
// dropped, so the peer feels the pressure.
//
// The flow is a layer (flow/flow.h, "Shutdown"): it owns the flow below, whose
// properties and endpoints it shows. Its Shutdown(kRead) is its own matter: the
// read half below stays open, so that what the peer still sends can be drained
// when both sides are shut (a close with bytes unread would reset the peer).
//
// Guarantees:
// - In any span of t seconds at most burst + t * bytes_per_second bytes pass in
//   a direction. The rate is reached on average if `burst` is worth 20 ms or
//   more; an exhausted bucket is waited for until it has about 10 ms' worth
//   (half a burst at most), so that a slow stream costs few wake-ups.
// - Endings, resets and Close are not paced: they come as soon as the bytes
//   before them have passed and the bucket is not empty.
// - Time is that of the flow below (its Syscalls).

#ifndef FLOW_LAYERS_THROTTLE_H_
#define FLOW_LAYERS_THROTTLE_H_

#include <cstdint>
#include <limits>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "flow/flow.h"

namespace flow {

// How fast one direction may be.
struct ThrottleRate {
  // > 0. Infinite (the default): this direction is not throttled.
  double bytes_per_second = std::numeric_limits<double>::infinity();

  // How many bytes may pass at once after a pause. 0: what 20 ms are worth, at
  // least 1. Never negative.
  int64_t burst = 0;

  // "1000 B/s, burst 20 B"; "no limit".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ThrottleRate& rate) {
    sink.Append(rate.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const ThrottleRate& rate) {
    return os << rate.ToString();
  }
};

// How fast each direction may be.
struct ThrottleOptions {
  // Each direction has a bucket of its own.
  ThrottleRate read;
  ThrottleRate write;

  // "read: 1000 B/s; write: no limit".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ThrottleOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ThrottleOptions& options) {
    return os << options.ToString();
  }
};

// `below`, throttled. INVALID_ARGUMENT for a rate that is not above 0 or a
// negative burst; FAILED_PRECONDITION if `below` is in use or has ended on
// either side. On an error `below` is closed.
[[nodiscard]] absl::StatusOr<Flow> Throttle(Flow below,
                                            const ThrottleOptions& options);

}  // namespace flow

#endif  // FLOW_LAYERS_THROTTLE_H_
