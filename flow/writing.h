// File: writing.h (internal)
//
// The blocking driver's writes (flow/flow.h has their contract).

#ifndef FLOW_WRITING_H_
#define FLOW_WRITING_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/core.h"
#include "flow/limits.h"
#include "flow/pieces.h"
#include "flow/turn.h"

namespace flow {
namespace internal {

// Whether `views` can be written at all, and how many bytes they are.
absl::Status MeasureWrite(absl::Span<const absl::string_view> views,
                          uint64_t& total);

// What later writes are told after a limit has cut `turn` in the middle.
absl::Status SealedStatus(const Turn& turn);

// Writing nothing: what the state and the limits say, without waiting for a
// turn.
absl::Status WriteNothing(Core& core, const Limits& limits);

absl::Status WriteView(Core& core, absl::string_view bytes,
                       const Limits& limits);
absl::Status WriteViews(Core& core, absl::Span<const absl::string_view> views,
                        const Limits& limits);
absl::Status WriteCord(Core& core, const absl::Cord& cord,
                       const Limits& limits);
absl::StatusOr<size_t> WriteOneStep(Core& core, absl::string_view bytes,
                                    const Limits& limits);

// The same for who keeps the bytes and can go on in their middle
// (flow/buffered/ writer.h): a limit seals nothing. `accepted` says how many of
// the `total` bytes of `pieces`, more than 0, were taken; with an error all may
// have been, and FlushHeld is then what is left to do.
absl::Status WriteResumable(Core& core, Pieces& pieces, uint64_t total,
                            const Limits& limits, uint64_t& accepted);
// Waits until nothing is held back of what was written.
absl::Status FlushHeld(Core& core, const Limits& limits);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_WRITING_H_
