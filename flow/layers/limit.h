// File: limit.h
//
// LimitBytes: the first so many bytes of a flow.
//
//   flow::ByteLimits limits;
//   limits.read.bytes = content_length;           // then Eof
//   absl::StatusOr<flow::Flow> body =
//       flow::LimitBytes(*std::move(connection), limits);
//
//   limits.read = {1 << 20, flow::BeyondLimit::kFail};   // no more than 1 MiB
//
// Also known as: take, head, bounded stream, LimitedReader, MaxBytesReader.
// (Not to be taken for flow::Limits, which bound how long a call may take.)
//
// What comes of a direction's bytes beyond its limit:
//
// | BeyondLimit | reading                              | writing              |
// |-------------|--------------------------------------|----------------------|
// | kEnd        | Eof after the last byte, as if the   | closed by peer       |
// |             | peer had ended there. No byte beyond | (FAILED_PRECONDITION)|
// |             | it is taken from the flow below.     |                      |
// | kFail       | RESOURCE_EXHAUSTED, if a byte        | RESOURCE_EXHAUSTED   |
// |             | beyond it comes. If the peer ends    |                      |
// |             | there, Eof.                          |                      |
//
// Reading has kEnd by default ("the first N bytes"), writing kFail. A limit of
// 0 is one. A Write that goes beyond the limit sends what fits; its status has
// the count.
//
// The flow is a layer (flow/flow.h, "Shutdown"): it owns the flow below, whose
// properties and endpoints it shows.
//
// Guarantees:
// - Exact in both directions, whatever the steps were: the peer gets, and the
//   caller is given, exactly the first N bytes.
// - Endings stick, as of every flow, and end that direction alone.
// - An Eof of the limit's is not the peer's: bytes may be left below, so Close
//   may reset the peer, and CloseGracefully does not wait for its end. Who
//   needs the flow itself again should read N bytes from it, without this.

#ifndef FLOW_LAYERS_LIMIT_H_
#define FLOW_LAYERS_LIMIT_H_

#include <cstdint>
#include <limits>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"

namespace flow {

// What bytes beyond the limit are.
enum class BeyondLimit : uint8_t {
  kEnd,   // not there: the stream ends
  kFail,  // a failure
};
// "end", "fail"
absl::string_view BeyondLimitName(BeyondLimit beyond);
std::ostream& operator<<(std::ostream& os, BeyondLimit beyond);
template <typename Sink>
void AbslStringify(Sink& sink, BeyondLimit beyond) {
  sink.Append(BeyondLimitName(beyond));
}

// Of one direction.
struct ByteLimit {
  // How many may pass. The largest number, the default: no limit.
  uint64_t bytes = std::numeric_limits<uint64_t>::max();
  // What comes after the last of them.
  BeyondLimit beyond = BeyondLimit::kEnd;

  // "100 B, then end"; "no limit".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ByteLimit& limit) {
    sink.Append(limit.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const ByteLimit& limit) {
    return os << limit.ToString();
  }
};

// Of a flow. By default there are none.
struct ByteLimits {
  // Each direction has its own.
  ByteLimit read;
  ByteLimit write = {std::numeric_limits<uint64_t>::max(), BeyondLimit::kFail};

  // "read: 100 B, then end; write: no limit".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ByteLimits& limits) {
    sink.Append(limits.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const ByteLimits& limits) {
    return os << limits.ToString();
  }
};

// `below`, limited. FAILED_PRECONDITION if `below` is in use or has ended on
// either side; it is then closed.
[[nodiscard]] absl::StatusOr<Flow> LimitBytes(Flow below,
                                              const ByteLimits& limits);

}  // namespace flow

#endif  // FLOW_LAYERS_LIMIT_H_
