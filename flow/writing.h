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

absl::Status WriteViews(Core& core, absl::Span<const absl::string_view> views,
                        const Limits& limits);
absl::Status WriteCord(Core& core, const absl::Cord& cord,
                       const Limits& limits);
absl::StatusOr<size_t> WriteOneStep(Core& core, absl::string_view bytes,
                                    const Limits& limits);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_WRITING_H_
