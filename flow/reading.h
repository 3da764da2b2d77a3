// File: reading.h (internal)
//
// The blocking driver's reads (flow/flow.h has their contract), and the waiting
// for the peer's end, which reads nothing.

#ifndef FLOW_READING_H_
#define FLOW_READING_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/core.h"
#include "flow/limits.h"
#include "flow/or_eof.h"

namespace flow {
namespace internal {

// ReadInto of nothing, or of a span that can't be read into, `size` long: what
// the state and the limits say, then what is wrong about the span.
absl::StatusOr<OrEof<size_t>> LookForRead(Core& core, size_t size,
                                          const Limits& limits);

absl::StatusOr<OrEof<size_t>> ReadInto(Core& core, absl::Span<char> into,
                                       const Limits& limits);
absl::StatusOr<OrEof<Buffer>> ReadFresh(Core& core, const Limits& limits);
absl::StatusOr<PeerEnd> WaitPeerEnd(Core& core, PeerEnd at_least,
                                    const Limits& limits);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_READING_H_
